/** What happens to nodes and links: how each event starts, what counts as its middle, and how it ends. */
import assert from "node:assert/strict";
import { eventually, PATIENCE_MS, within } from "../support/eventually.ts";
import type { Begun } from "./requests.ts";
import type { NodeName, StrainedMesh } from "./strained_mesh.ts";

export interface Disturbance {
  readonly name: string;
  /** The node that it strikes; a link counts as its dialler's. */
  readonly node: NodeName;
  /** Whether it ends the daemon's run. */
  readonly ends: boolean;
  /** In its middle no daemon runs that could be asked anything. */
  readonly isDead: boolean;
  begin(mesh: StrainedMesh): Begun;
  /** Checks, once the mesh is whole again, that it had its effect. */
  verify?(mesh: StrainedMesh): Promise<void>;
}

/** Middle: the old backends are being replaced by others of the same effect. */
export function reload(node: NodeName): Disturbance {
  return {
    name: `reload of ${node}`,
    node,
    ends: false,
    isDead: false,
    begin: (mesh) => beginReload(mesh, node, () => mesh.reword(node), true),
  };
}

/** A reload that cannot be applied completely, and so must change nothing. */
export function refusedReload(node: NodeName): Disturbance {
  return {
    name: `refused reload of ${node}`,
    node,
    ends: false,
    isDead: false,
    begin(mesh) {
      const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const bad = { "tcp-listener": { bindaddr: "127.0.0.1", port: taken.addr.port } };
      const begun = beginReload(mesh, node, () => mesh.configure(node, [bad], false), false);
      return {
        middle: begun.middle,
        async end() {
          await begun.end().finally(() => taken.close());
          // For the next life; the present one has never left its old configuration.
          await mesh.configure(node, []);
        },
      };
    },
  };
}

function beginReload(
  mesh: StrainedMesh,
  name: NodeName,
  configure: () => Promise<void>,
  success: boolean,
): Begun {
  const node = mesh.node(name);
  const middle = Promise.withResolvers<void>();
  const reloading = run();
  reloading.catch(() => {});
  return { middle: middle.promise, end: () => reloading };

  async function run(): Promise<void> {
    try {
      await configure();
      const { length } = node.log;
      const { pid } = node;
      await using session = await node.session();
      await session.send("reload");
      await eventually(() => /Reloading/.test(node.log.slice(length)) || !node.program.running, {
        what: `the beginning of a reload of ${name}`,
      });
      middle.resolve();
      const line = await session.readLine();
      if (line !== null) assert.equal(JSON.parse(line).Success, success, line);
      else assert.ok(mesh.wasStopped(node) || node.pid !== pid, "the reload was not answered");
    } catch (error) {
      // A daemon that is stopping answers nobody.
      if (!mesh.wasStopped(node)) throw error;
    } finally {
      middle.resolve();
    }
  }
}

/** Middle: the node was asked to stop and has not ended. */
export function stop(name: NodeName): Disturbance {
  return {
    name: `stop of ${name}`,
    node: name,
    ends: true,
    isDead: false,
    begin(mesh) {
      const { program } = mesh.node(name);
      mesh.noteStop(name);
      program.signal("SIGTERM");
      return {
        middle: Promise.resolve(),
        async end() {
          const status = await within(PATIENCE_MS, `the end of ${name}`, program.exited);
          if (status.signal === null) assert.equal(status.code, 0, `exit code of ${name}`);
        },
      };
    },
  };
}

/** Middle: the node is dead, and nobody has been told. */
export function kill(name: NodeName): Disturbance {
  return {
    name: `kill -9 of ${name}`,
    node: name,
    ends: true,
    isDead: true,
    begin(mesh) {
      mesh.noteStop(name);
      return { middle: mesh.node(name).kill(), end: () => Promise.resolve() };
    },
  };
}

/** Middle: the link is broken, and so is every new one. */
export function cut(dialler: NodeName, listener: NodeName): Disturbance {
  return {
    name: `cut of ${dialler}-${listener}`,
    node: dialler,
    ends: false,
    isDead: false,
    begin(mesh) {
      mesh.link(dialler, listener).cut();
      return { middle: Promise.resolve(), end: () => Promise.resolve() };
    },
  };
}

/** Middle: the key is a new one, and the certificate still the old one. */
export function renewal(name: NodeName): Disturbance {
  return {
    name: `renewal of the certificate of ${name}`,
    node: name,
    ends: false,
    isDead: false,
    begin(mesh) {
      const next = mesh.nextCertificates();
      const { key, cert } = mesh.certificates;
      mesh.noteRenewal(name);
      return {
        middle: putInPlace(next.key(name), key(name)),
        end: () => putInPlace(next.cert(name), cert(name)),
      };
    },
    verify: (mesh) => mesh.waitForRenewal(name),
  };
}

/** Replaces a file as tools that renew certificates do. */
async function putInPlace(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, `${to}.new`);
  await Deno.rename(`${to}.new`, to);
}
