/** Pods in trouble, as clusters report them, and what a user is told. */
import { deepEqual, equal, match } from "node:assert/strict";
import type { Pod } from "../../../lib/workceptor/kubernetes/api/kube_api.ts";
import { endOf, nextStep } from "../../../lib/workceptor/kubernetes/kube_decision.ts";
import { podState } from "../../../lib/workceptor/kubernetes/pod_state.ts";

function pod(status: Pod["status"], metadata: Pod["metadata"] = {}): Pod {
  return { metadata, status: status! };
}

function worker(state: unknown, phase = "Running"): Pod {
  return pod({ phase, containerStatuses: [{ name: "worker", state }] } as Pod["status"]);
}

/** The unit's `Detail` for a pod that has not run yet. */
function detailOf(pod: Pod, { pullBackOffs = 0, overdue = false } = {}): string {
  const step = nextStep({ pod: podState(pod), payload: "unsent", pullBackOffs, overdue });
  return step.do === "wait" ? step.detail : step.do === "end" ? step.end.Detail : step.do;
}

Deno.test("a pod that cannot start tells why", () => {
  const unschedulable = pod({
    phase: "Pending",
    conditions: [{
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message: "0/3 nodes are available: 3 Insufficient cpu.",
    }],
  });
  const why = "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.";
  equal(detailOf(unschedulable), `Pod created: ${why}`);
  equal(
    detailOf(unschedulable, { overdue: true }),
    `Error creating pod: the pod did not run within its pod_pending_timeout: ${why}`,
  );
  const pulling = worker({
    waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "x"' },
  }, "Pending");
  equal(detailOf(pulling), 'Pod created: ImagePullBackOff: Back-off pulling image "x"');
  equal(
    detailOf(pulling, { pullBackOffs: 4 }),
    'Error creating pod: container failed to start, ImagePullBackOff: Back-off pulling image "x"',
  );
  equal(
    detailOf(
      worker({ waiting: { reason: "ErrImageNeverPull", message: "not present" } }, "Pending"),
    ),
    "Error creating pod: container failed to start, ErrImageNeverPull: not present",
  );
  equal(detailOf(worker({ waiting: { reason: "ContainerCreating" } }, "Pending")), "Pod created");
  equal(detailOf(pod({ phase: "Pending" })), "Pod created");
  equal(
    detailOf(pod(
      {
        phase: "Pending",
        initContainerStatuses: [{
          name: "prepare",
          state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } },
        }],
      } as unknown as Pod["status"],
    )),
    "Pod created: container prepare: CrashLoopBackOff: back-off 10s",
  );
  equal(
    detailOf(pod({ phase: "Failed", reason: "OutOfcpu", message: "Node didn't have enough cpu" })),
    "Error creating pod: OutOfcpu: Node didn't have enough cpu",
  );
});

Deno.test("a worker's end is the unit's, whatever other containers do", () => {
  equal(podState(worker({ running: {} })).is, "running");
  deepEqual(podState(worker({ terminated: { exitCode: 0, reason: "Completed" } })), {
    is: "ended",
    failure: undefined,
  });
  const failure = (terminated: unknown, status: Partial<Pod["status"]> = {}) => {
    const { status: own } = worker({ terminated });
    const state = podState(pod({ ...own, ...status } as Pod["status"]));
    return state.is === "ended" ? state.failure : state.is;
  };
  equal(failure({ exitCode: 3, reason: "Error" }), "container failed with exit code 3");
  equal(
    failure({ exitCode: 137, reason: "OOMKilled" }),
    "container failed with exit code 137: OOMKilled",
  );
  equal(
    failure({ exitCode: 128, reason: "StartError", message: 'exec: "x": not found' }),
    'container failed with exit code 128: StartError: exec: "x": not found',
  );
  equal(
    failure({ exitCode: 143, reason: "Error" }, {
      phase: "Failed",
      reason: "Evicted",
      message: "The node was low on resource: memory.",
    }),
    "container failed with exit code 143: Evicted: The node was low on resource: memory.",
  );
  equal(
    failure({ exitCode: 137, reason: "ContainerStatusUnknown", message: "could not be located" }),
    "gone",
  );
});

Deno.test("a node that does not report any more is told of while the job goes on", () => {
  const lost = pod(
    {
      phase: "Running",
      containerStatuses: [{ name: "worker", state: { running: {} } }],
      conditions: [{ type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", message: "m" }],
    } as unknown as Pod["status"],
  );
  const state = podState(lost);
  equal(state.is === "running" && state.trouble, "NodeStatusUnknown: m");
});

Deno.test("a payload that may have been read in part is not sent again", () => {
  const facts = { pullBackOffs: 0, overdue: false };
  for (const state of [{ running: {} }, { terminated: { exitCode: 0 } }]) {
    const pod = podState(worker(state));
    const step = nextStep({ ...facts, pod, payload: "sending" });
    match(step.do === "end" ? step.end.Detail : "", /^Error streaming stdin to pod: the node rest/);
  }
  const running = podState(worker({ running: {} }));
  equal(nextStep({ ...facts, pod: running, payload: "unsent" }).do, "attach");
  equal(nextStep({ ...facts, pod: running, payload: "sent" }).do, "follow");
});

Deno.test("a unit whose output is not whole has failed", () => {
  const ended = { is: "ended", failure: undefined } as const;
  equal(endOf(ended, { lost: undefined, problem: undefined }).Detail, "Finished");
  equal(endOf(ended, { lost: "bytes are gone", problem: undefined }).Detail, "bytes are gone");
  equal(
    endOf({ is: "gone", reason: "it was deleted" }, { lost: undefined, problem: undefined }).Detail,
    "Job lost: its pod is gone: it was deleted",
  );
});
