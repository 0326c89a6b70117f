package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

func TestTheNameLeavesRoomForTheIndexOfAnIndexedJobsPods(t *testing.T) {
	indexed := func(name string) *v1alpha.ChangeTriggeredJob {
		ctj := valid()
		template, err := ctj.Spec.JobTemplate.Decode()
		require.NoError(t, err)
		template.Spec.CompletionMode = ptr(batchv1.IndexedCompletion)
		template.Spec.Completions = ptr(int32(100_000))
		template.Spec.Parallelism = ptr(int32(10))
		ctj.Name, ctj.Spec.JobTemplate = name, v1alpha.NewJobTemplate(*template)
		return ctj
	}
	template, err := indexed("any").Spec.JobTemplate.Decode()
	require.NoError(t, err)
	limit := job.MaxNameLength(template)
	require.Less(t, limit, v1alpha.MaxNameLength)

	assert.Empty(t, Spec(indexed(strings.Repeat("n", limit))))

	tooLong := indexed(strings.Repeat("n", limit+1))
	for _, errs := range [][]string{messages(Spec(tooLong)), messages(SpecUpdate(tooLong))} {
		require.Len(t, errs, 1, "on create and on update: the template can be mended, the name cannot")
		assert.Contains(t, errs[0], "spec.jobTemplate.spec.completions: ")
	}

	errs := Spec(indexed(strings.Repeat("n", v1alpha.MaxNameLength+1)))
	require.Len(t, errs, 1, "one error for a name that is too long for any Job")
	assert.Equal(t, "metadata.name", errs[0].Field)
}
