/** Where a client's server and credentials come from: the three values of `authmethod`. */

export type KubeSource =
  /**
   * A kubeconfig file; without a path, the files of `KUBECONFIG` merged as kubectl does, or
   * `~/.kube/config`.
   */
  | { readonly kind: "kubeconfig"; readonly path?: string | undefined }
  /** A kubeconfig as text, as `secret_kube_config` brings it. */
  | { readonly kind: "text"; readonly text: string }
  /** The service account of the pod that we run in. */
  | { readonly kind: "incluster" };
