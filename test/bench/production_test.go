package bench

import "github.com/nusnewob/kube-changejob/test/operator"

// memoryLimit is that of config/manager: with it, how far garbage may pile up does not depend on the machine. The rivals have
// none: two of them need more than that.
const memoryLimit = "GOMEMLIMIT=460MiB"

// production is how every operator runs that is measured: as config/manager has it, with a lease, metrics and a limit for its memory. Its metrics
// are served on the loopback, without encryption, for they are read here; and there is no webhook, which nothing that is measured asks. What
// an operator has beside that is in args, and docs/performance.md says so.
func production(kubeConfig []byte, args ...string) operator.Options {
	return operator.Options{
		KubeConfig: kubeConfig, Metrics: true,
		Args: append([]string{"--leader-elect"}, args...), Env: []string{memoryLimit},
	}
}
