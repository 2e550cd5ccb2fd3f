import { equal, throws } from "node:assert/strict";
import { compileFirewall, type FirewallRule } from "../../lib/netceptor/firewall.ts";

const packet = { fromNode: "foo", toNode: "bar", fromService: "eph12345", toService: "control" };

function verdict(rules: FirewallRule[], changes: Partial<typeof packet> = {}) {
  return compileFirewall(rules)({ ...packet, ...changes });
}

Deno.test("a firewall without rules, or without one that matches, accepts", () => {
  equal(verdict([]), "accept");
  equal(verdict([{ action: "drop", fromnode: "other" }]), "accept");
});

Deno.test("the first rule that matches decides", () => {
  const rules: FirewallRule[] = [
    { action: "accept", fromnode: "foo" },
    { action: "reject" },
  ];
  equal(verdict(rules), "accept");
  equal(verdict(rules, { fromNode: "evil" }), "reject");
});

Deno.test("a rule matches only if all of its conditions do", () => {
  const rules: FirewallRule[] = [{ action: "reject", tonode: "bar", toservice: "control" }];
  equal(verdict(rules), "reject");
  equal(verdict(rules, { toNode: "baz" }), "accept");
  equal(verdict(rules, { toService: "ping" }), "accept");
});

Deno.test("each condition looks at its own field", () => {
  equal(verdict([{ action: "drop", fromnode: "foo" }]), "drop");
  equal(verdict([{ action: "drop", tonode: "bar" }]), "drop");
  equal(verdict([{ action: "drop", fromservice: "eph12345" }]), "drop");
  equal(verdict([{ action: "drop", toservice: "control" }]), "drop");
});

Deno.test("an empty condition holds for everything", () => {
  equal(verdict([{ action: "drop", fromnode: "", toservice: "control" }]), "drop");
});

Deno.test("a regular expression has to match the whole value", () => {
  const rules: FirewallRule[] = [{ action: "drop", toservice: "/con|tro/" }];
  equal(verdict(rules), "accept");
  equal(verdict(rules, { toService: "con" }), "drop");
  equal(verdict([{ action: "drop", toservice: "/c.*l/" }]), "drop");
});

Deno.test("Go's flags and superfluous escapes are understood", () => {
  equal(verdict([{ action: "drop", fromnode: "/(?i)FOO/" }]), "drop");
  equal(verdict([{ action: "drop", fromnode: "/node\\-1\\.example/" }]), "accept");
  equal(
    verdict([{ action: "drop", fromnode: "/node\\-1\\.example/" }], { fromNode: "node-1.example" }),
    "drop",
  );
});

Deno.test("an invalid regular expression is an error that names the rule", () => {
  const compile = (fromnode: string) =>
    compileFirewall([{ action: "accept" }, { action: "drop", fromnode }]);
  throws(() => compile("/a(/"), /firewall rule 2: .*is not a regular expression/);
  throws(() => compile("/abc"), /does not end with \//);
  throws(() => compile("/"), SyntaxError);
  throws(() => compile("/[[:alpha:]]+/"), SyntaxError);
});
