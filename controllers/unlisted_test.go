package controllers

import (
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// TestAJobThatStatusHasNoRoomForIsCountedByTheReconciler ends the oldest of 52 Jobs that run, one that leaves status with a write that fails, and
// one that ends while a write fails.
func TestAJobThatStatusHasNoRoomForIsCountedByTheReconciler(t *testing.T) {
	const jobsThatRun = 52
	s := newSolo(t, func(ctj *v1alpha.ChangeTriggeredJob) {
		ctj.Spec.Resources = append(ctj.Spec.Resources, playReference("a", "data"))
		ctj.Status = v1alpha.ChangeTriggeredJobStatus{TriggerCount: jobsThatRun, LastJobName: nameOfTrigger(jobsThatRun), LastJobStatus: v1alpha.JobActive}
		for number := int64(jobsThatRun); len(ctj.Status.Active) < v1alpha.MaxActive; number-- {
			ctj.Status.Active = append(ctj.Status.Active, v1alpha.JobReference{Name: nameOfTrigger(number)})
		}
	})
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Name: playName, UID: playUID}}
	for number := int64(1); number <= jobsThatRun; number++ {
		require.NoError(t, s.stored.Create(t.Context(), &batchv1.Job{Spec: jobs.Spec(), ObjectMeta: metav1.ObjectMeta{
			Namespace: playNamespace, Name: nameOfTrigger(number), UID: types.UID(nameOfTrigger(number)),
			Annotations:     map[string]string{job.TriggerAnnotation: strconv.FormatInt(number, 10)},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(ctj, v1alpha.GroupVersion.WithKind(v1alpha.Kind))}}}))
	}
	before := testutil.ToFloat64(jobOutcomes.Of(string(v1alpha.JobFailed)))
	counted := func(want int, why string) {
		t.Helper()
		require.InDelta(t, want, testutil.ToFloat64(jobOutcomes.Of(string(v1alpha.JobFailed)))-before, 0, why)
	}
	fail := func(number int64) {
		t.Helper()
		require.NoError(t, jobs.Finish(t.Context(), s.stored, playNamespace, nameOfTrigger(number), batchv1.JobFailed))
	}
	require.NoError(t, s.look(seesObject("1")))
	counted(0, "all run")

	fail(1)
	for range 2 {
		require.NoError(t, s.look(seesObject("1")))
		counted(1, "one that is not listed has failed")
	}

	// The next Job takes the place of the third in a status that cannot be written: the one that is stored lists it still, and tells of its end.
	s.fault = func(func() error) error { return interrupted() }
	require.Error(t, s.look(seesObject("2")))
	s.job(jobsThatRun + 1)
	fail(3)
	s.fault = nil
	require.NoError(t, s.look(seesObject("2")))
	require.EqualValues(t, jobsThatRun+1, s.status().TriggerCount)
	counted(2, "one that was listed until a write failed")

	faults := 0
	s.fault = func(write func() error) error {
		if faults++; faults == 1 {
			return interrupted()
		}
		return write()
	}
	fail(2)
	for range 2 {
		require.NoError(t, s.look(watch.Observation{State: watch.Forbidden}))
		counted(3, "one that is not listed, while a write fails")
	}
	require.Equal(t, 2, faults)
}
