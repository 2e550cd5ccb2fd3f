/** A node with work in pods, which a test can kill and start again. */
import type { UnitStatus } from "../../../lib/control/work_service.ts";
import { eventually } from "../eventually.ts";
import { daemonCommand, folderOf } from "../peers.ts";
import { Program } from "../program.ts";
import { receptorctl, type ReceptorctlResult } from "../receptorctl.ts";
import { TempFolder } from "../temp_folder.ts";
import { kubeconfigPath, type TestCluster, workerImage } from "./cluster.ts";

export class KubeNode implements AsyncDisposable {
  readonly #folder: TempFolder;
  #program: Program;

  private constructor(folder: TempFolder, program: Program) {
    this.#folder = folder;
    this.#program = program;
  }

  /**
   * A node that runs work in the cluster's namespace: types `pod`, `keep` (without
   * deletepodonrestart) and `runtime`.
   */
  static async start(cluster: TestCluster): Promise<KubeNode> {
    const folder = await TempFolder.create();
    const type = { namespace: cluster.namespace, authmethod: "kubeconfig", allowruntimeauth: true };
    const allow = { allowruntimepod: true, allowruntimeparams: true, allowruntimecommand: true };
    const image = { image: workerImage, command: "sh", params: "-c" };
    const config = [
      { node: { id: "kubenode", datadir: folder.join("data") } },
      { "local-only": null },
      { "log-level": "debug" },
      { "control-service": { service: "control", filename: folder.join("sock") } },
      { "work-kubernetes": { worktype: "pod", ...type, ...image, ...allow } },
      { "work-kubernetes": { worktype: "keep", ...type, ...allow, deletepodonrestart: false } },
      // As AWX writes it.
      {
        "work-kubernetes": {
          worktype: "runtime",
          authmethod: "runtime",
          allowruntimeauth: true,
          allowruntimepod: true,
          allowruntimeparams: true,
        },
      },
    ];
    await Deno.writeTextFile(folder.join("receptor.conf"), JSON.stringify(config));
    const node = new KubeNode(folder, KubeNode.#run(folder));
    await node.#ready();
    return node;
  }

  get output(): string {
    return this.#program.output;
  }

  unitFolder(id: string): string {
    return this.#folder.join("data", "kubenode", id);
  }

  /** Names of the pods that are still to be deleted. */
  async doomed(): Promise<string[]> {
    const folder = this.#folder.join("data", ".kubenode.pods");
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.map(({ name }) => name).filter((name) => name.endsWith(".pod"));
  }

  async kill(): Promise<void> {
    Deno.kill(this.#program.pid, "SIGKILL");
    await this.#program.exited;
  }

  async startAgain(): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    this.#program = KubeNode.#run(this.#folder);
    await this.#ready();
  }

  /** Runs a client: the Python one, if it is installed. */
  ctl(args: readonly string[], stdin: Uint8Array | string = ""): Promise<ReceptorctlResult> {
    const client = folderOf("RECEPTOR_PEERS") === undefined ? "ours" : "python";
    return receptorctl(args, { client, socket: this.#folder.join("sock"), stdin });
  }

  /** Submits `script`, and returns the unit's id. */
  async submit(
    script: string,
    { payload = "", type = "pod" }: { payload?: Uint8Array | string; type?: string } = {},
  ): Promise<string> {
    return await this.submitWith(
      type,
      { kube_params: `'${script.replaceAll("'", `'"'"'`)}'` },
      payload,
    );
  }

  async submitWith(
    type: string,
    params: Record<string, string>,
    payload: Uint8Array | string = "",
  ): Promise<string> {
    const before = new Set(Object.keys(await this.list()));
    const given = Object.entries(params).flatMap(([name, value]) => ["-a", `${name}=${value}`]);
    const { code, stdout, stderr } = await this.ctl(
      ["work", "submit", type, "-p", "-", ...given],
      payload,
    );
    if (code !== 0) throw new Error(stderr);
    const id = Object.keys(await this.list()).find((id) => !before.has(id));
    return id ?? stdout.trim();
  }

  async list(): Promise<Record<string, UnitStatus>> {
    const { stdout } = await this.ctl(["work", "list"]);
    return JSON.parse(stdout);
  }

  async status(id: string): Promise<UnitStatus> {
    const status = (await this.list())[id];
    if (status === undefined) throw new Error(`no unit ${id}`);
    return status;
  }

  /** Waits until the unit is in this state. */
  async reaches(id: string, state: string, detail = /(?:)/): Promise<UnitStatus> {
    let last: UnitStatus | undefined;
    return await eventually(async () => {
      last = await this.status(id);
      return last.StateName === state && detail.test(last.Detail) ? last : undefined;
    }, {
      timeoutMs: 180_000,
      intervalMs: 200,
      what: () => `${id} to be ${state} ${detail}, not ${JSON.stringify(last)}\n${this.output}`,
    });
  }

  async results(id: string): Promise<Uint8Array> {
    const { stdoutBytes } = await this.ctl(["work", "results", id]);
    return stdoutBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  async #ready(): Promise<void> {
    await this.#program.waitForOutput(/Initialization complete/);
  }

  static #run(folder: TempFolder): Program {
    const env = { KUBECONFIG: kubeconfigPath! };
    return Program.start(
      [...daemonCommand("ours"), "--config", folder.join("receptor.conf")],
      { env },
    );
  }
}
