"""A real Kubernetes control plane for tests and for the lab: etcd and kube-apiserver, kubectl, and kube-proxy per node.

    binaries      where the programs are
    child         a process that stays, is reaped, and does not outlive whoever started it
    certificates  the cluster's own certificate authority
    etcd          the store below the API
    client        requests to the API server, from outside also into its network namespace
    tool          kubectl and helm
    kubeconfig    credentials as files: kubeconfigs, and what a pod finds under /var/run/secrets
    configuration kube-apiserver's flags, certificates and port
    snapshot      all objects at one moment, to come back to
    api_processes etcd and kube-apiserver: start, stop, and every fault that a cluster's API can have
    api_server    the same as something to use: kubectl and helm, namespaces, users, many objects at once
    nodes         nodes in the API, without kubelets
    bulk          thousands of objects at once
    kube_proxy    the real kube-proxy in a node's namespace

Nothing here waits in asyncio: tests call it as it is, and a lab calls it with `asyncio.to_thread`.
"""
