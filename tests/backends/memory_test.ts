import { memorySessionPair } from "../../lib/backends/memory.ts";
import { testSessionContract } from "./session_contract.ts";

testSessionContract("memory", () => {
  const [near, far] = memorySessionPair();
  return Promise.resolve({
    near,
    far,
    [Symbol.asyncDispose]() {
      near.close();
      far.close();
      return Promise.resolve();
    },
  });
});
