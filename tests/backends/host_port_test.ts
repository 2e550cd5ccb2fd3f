import { deepEqual, equal, throws } from "node:assert/strict";
import { formatHostPort, parseDialAddress, parseHostPort } from "../../lib/backends/host_port.ts";

Deno.test("parseHostPort splits names, IPv4 and bracketed IPv6 addresses", () => {
  deepEqual(parseHostPort("mesh.example.org:27199"), { host: "mesh.example.org", port: 27199 });
  deepEqual(parseHostPort("192.0.2.1:1"), { host: "192.0.2.1", port: 1 });
  deepEqual(parseHostPort("[2001:db8::1]:65535"), { host: "2001:db8::1", port: 65535 });
  deepEqual(parseHostPort(":7"), { host: "", port: 7 });
});

Deno.test("parseDialAddress takes no host and all addresses for this machine", () => {
  deepEqual(parseDialAddress(":7"), { host: "localhost", port: 7 });
  deepEqual(parseDialAddress("0.0.0.0:7"), { host: "127.0.0.1", port: 7 });
  deepEqual(parseDialAddress("[::]:7"), { host: "::1", port: 7 });
  deepEqual(parseDialAddress("192.0.2.1:7"), { host: "192.0.2.1", port: 7 });
});

Deno.test("parseHostPort says what an address looks like", () => {
  const wrong = [
    "",
    "host",
    "host:",
    ":",
    "[]:1",
    "host:x",
    "host:65536",
    "2001:db8::1:7",
    "[::1]",
    "a b:1",
  ];
  for (const address of wrong) throws(() => parseHostPort(address), /expected host:port/, address);
});

Deno.test("formatHostPort puts IPv6 hosts in brackets", () => {
  equal(formatHostPort({ host: "::1", port: 7 }), "[::1]:7");
  equal(formatHostPort({ host: "192.0.2.1", port: 7 }), "192.0.2.1:7");
});
