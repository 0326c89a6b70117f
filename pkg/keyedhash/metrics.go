package keyedhash

import "github.com/nusnewob/kube-changejob/pkg/metrics"

var (
	keyRewritten = metrics.NewCounter("changejob_hash_key_rewritten_total",
		"Times that the Secret with the key of the hashes was deleted, and written again with the same key.")
	keyFailures = metrics.NewCounter("changejob_hash_key_failures_total",
		"Times that the Secret with the key of the hashes could not be watched, read or written.")
	// What lasts is a state, and no event: the Secret may never change again.
	keyDiffers = metrics.NewGauge("changejob_hash_key_differs",
		"1 while the Secret with the key of the hashes holds another key than the one in use, else 0. The process that leads looks.")
)
