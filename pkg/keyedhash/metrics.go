package keyedhash

import "github.com/nusnewob/kube-changejob/pkg/metrics"

var (
	keyRewritten = metrics.NewCounter("changejob_hash_key_rewritten_total",
		"Times that the Secret with the key of the hashes was deleted, and written again with the same key.")
	keyFailures = metrics.NewCounter("changejob_hash_key_failures_total",
		"Times that the Secret with the key of the hashes could not be watched, read or written, or was found to hold another key than the one in use.")
)
