package bench

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// BenchmarkHeapOfJobs measures what a Job adds to the live heap of the operator, whose cache keeps of it what job.Strip leaves: a Job
// of a ChangeTriggeredJob with three references.
func BenchmarkHeapOfJobs(b *testing.B) {
	measures(b)
	const count = 10_000
	ctj := subjectOf("team", "ctj")
	ctj.UID = types.UID("5f0c3a52-7a0c-4f0e-9a55-1b6a0d3c2f11")
	creation := &trigger.Creation{Name: trigger.JobName("ctj", ctj.UID, 1), Number: 1, Reason: trigger.ReasonChange}
	for i := range 3 {
		object := trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "team", Name: configName(i)}
		creation.Hashes = append(creation.Hashes, trigger.TriggeredHash{Reference: object, Field: "data", Hash: "k1:" + strings.Repeat("0", 32)})
	}
	built, err := job.Build(ctj, creation)
	require.NoError(b, err)
	content, err := json.Marshal(built)
	require.NoError(b, err)
	for range takes() {
		before := liveHeap()
		cached := make([]*batchv1.Job, count)
		for i := range cached {
			cached[i] = &batchv1.Job{}
			require.NoError(b, json.Unmarshal(content, cached[i]))
			cached[i].Name = fmt.Sprintf("%s-%d", cached[i].Name, i)
			_, err := job.Strip(cached[i])
			require.NoError(b, err)
		}
		value := float64(liveHeap()-before) / count / 1024
		runtime.KeepAlive(cached)
		record(figures.Figure{Measure: figures.HeapJob, Arm: figures.Operator, Unit: "KiB"}, value)
		b.Logf("%.2f KiB", value)
	}
}
