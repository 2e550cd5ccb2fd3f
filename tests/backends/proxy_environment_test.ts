import { equal, throws } from "node:assert/strict";
import { proxyFor } from "../../lib/backends/proxy_environment.ts";

function proxy(
  host: string,
  variables: Record<string, string>,
  { secure = false, port = 80 } = {},
): string | undefined {
  return proxyFor({ host, port, secure }, (name) => variables[name])?.href;
}

Deno.test("proxyFor takes the variable of the scheme, capitals first", () => {
  const variables = {
    HTTP_PROXY: "http://one:3128",
    http_proxy: "http://two:3128",
    https_proxy: "three:3128",
  };
  equal(proxy("example.org", variables), "http://one:3128/");
  equal(proxy("example.org", variables, { secure: true }), "http://three:3128/");
  equal(proxy("example.org", { ...variables, HTTP_PROXY: "" }), "http://two:3128/");
  equal(proxy("example.org", {}), undefined);
});

Deno.test("proxyFor uses no proxy for loopback", () => {
  const variables = { HTTP_PROXY: "http://proxy:1" };
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"]) {
    equal(proxy(host, variables), undefined, host);
  }
});

Deno.test("proxyFor ignores HTTP_PROXY in a program that a web server started", () => {
  equal(proxy("example.org", { HTTP_PROXY: "http://proxy:1", REQUEST_METHOD: "GET" }), undefined);
});

const exceptions: [noProxy: string, host: string, port: number, proxied: boolean][] = [
  ["*", "example.org", 80, false],
  ["example.org", "example.org", 80, false],
  ["example.org", "EXAMPLE.org.", 80, false],
  ["example.org", "a.example.org", 80, false],
  ["example.org", "notexample.org", 80, true],
  [".example.org", "a.example.org", 80, false],
  [".example.org", "example.org", 80, true],
  ["*.example.org", "a.example.org", 80, false],
  ["example.org:81", "example.org", 80, true],
  ["example.org:81", "example.org", 81, false],
  ["x.org, example.org ,y.org", "example.org", 80, false],
  ["192.0.2.1", "192.0.2.1", 80, false],
  ["192.0.2.1", "192.0.2.2", 80, true],
  ["192.0.2.1:81", "192.0.2.1", 80, true],
  ["192.0.2.0/24", "192.0.2.77", 80, false],
  ["192.0.2.0/24", "192.0.3.77", 80, true],
  ["192.0.2.0/24", "example.org", 80, true],
  ["2001:db8::/32", "2001:db8::7", 80, false],
  ["[2001:db8::7]:80", "2001:db8:0::7", 80, false],
  ["2001:db8::7", "2001:db8::8", 80, true],
  ["192.0.2.0/99,/,1/2/3", "192.0.2.1", 80, true],
  ["", "example.org", 80, true],
];
for (const [noProxy, host, port, proxied] of exceptions) {
  Deno.test(`NO_PROXY=${noProxy} and ${host}:${port}: ${proxied ? "a" : "no"} proxy`, () => {
    const variables = { HTTP_PROXY: "http://proxy:1", NO_PROXY: noProxy };
    equal(proxy(host, variables, { port }) !== undefined, proxied);
  });
}

Deno.test("proxyFor names the variable whose value is not a URL, without showing the value", () => {
  throws(
    () => proxy("example.org", { HTTPS_PROXY: "http://user:secret@[" }, { secure: true }),
    (error: Error) => /HTTPS_PROXY/.test(error.message) && !error.message.includes("secret"),
  );
});
