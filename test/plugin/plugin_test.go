// Package plugin has the plugin of kubectl meet the operator: both programs as they are built, with a real API server and the webhook
// between them, so that what one writes is what the other reads.
package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	patience = time.Minute
	tick     = 20 * time.Millisecond

	name = "config-sync"
	// value begins every value of the watched object; nothing that the plugin writes tells one.
	value = "colour-value-"
)

// user is somebody with kubectl and the plugin.
type user struct {
	*apiserver.Server
	t         *testing.T
	program   string
	namespace string
	file      string
}

func newUser(t *testing.T) *user {
	root, err := apiserver.Root()
	require.NoError(t, err)
	directory := t.TempDir()
	program := filepath.Join(directory, "kubectl-changejob")
	build := exec.Command("go", "build", "-o", program, "./cmd/kubectl-changejob")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	server := apiserver.Start(t, apiserver.CRDs(), apiserver.Webhooks(envtest.WebhookInstallOptions{
		Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")},
	}))
	hook := server.Env.WebhookInstallOptions
	operator.Start(t, operator.Options{
		KubeConfig: server.KubeConfig, WebhookCertDir: hook.LocalServingCertDir, WebhookPort: hook.LocalServingPort,
	})
	u := &user{Server: server, t: t, program: program, namespace: server.Namespace(t), file: filepath.Join(directory, "changetriggeredjob.yaml")}
	require.NoError(t, os.WriteFile(u.file, []byte(strings.ReplaceAll(manifest, "NAMESPACE", u.namespace)), 0o600))
	require.NoError(t, u.Client.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: u.namespace, Name: "app-config"}, Data: map[string]string{"colour": value + "blue"},
	}))
	return u
}

const manifest = `apiVersion: triggers.changejob.dev/v1alpha
kind: ChangeTriggeredJob
metadata:
  name: config-sync
  namespace: NAMESPACE
spec:
  cooldown: 1h
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          containers: [{name: sync, image: "busybox:1.37"}]
          restartPolicy: Never
  resources:
    - apiVersion: v1
      kind: ConfigMap
      name: app-config
      namespace: NAMESPACE
      fields: ["data"]
`

// plugin is a command of the plugin, which is yet to be run; said and complained are what it writes.
func (u *user) plugin(args ...string) (cmd *exec.Cmd, said, complained *bytes.Buffer) {
	said, complained = &bytes.Buffer{}, &bytes.Buffer{}
	cmd = u.Kubectl(append([]string{"--namespace=" + u.namespace}, args...)...)
	cmd.Path, cmd.Stdout, cmd.Stderr = u.program, said, complained
	return cmd, said, complained
}

// does runs a command that must succeed, and returns what it says, words parted by one space.
func (u *user) does(args ...string) string {
	u.t.Helper()
	cmd, said, complained := u.plugin(args...)
	require.NoError(u.t, cmd.Run(), complained.String())
	assert.Empty(u.t, complained.String())
	assert.NotContains(u.t, said.String(), value, "no value is told")
	return words(said.String())
}

// saysThatThereIsNone runs a command that has no Job to tell of.
func (u *user) saysThatThereIsNone(args ...string) {
	u.t.Helper()
	cmd, said, complained := u.plugin(args...)
	require.NoError(u.t, cmd.Run(), complained.String())
	assert.Empty(u.t, said.String())
	assert.Equal(u.t, "No Jobs of "+u.namespace+"/"+name+".\n", complained.String())
}

// fails runs a command that must fail with exit code 1, and returns its complaint.
func (u *user) fails(args ...string) string {
	u.t.Helper()
	cmd, said, complained := u.plugin(args...)
	exit := &exec.ExitError{}
	require.ErrorAs(u.t, cmd.Run(), &exit)
	assert.Equal(u.t, 1, exit.ExitCode())
	assert.Empty(u.t, said.String())
	return complained.String()
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// sees waits until list tells this state, and returns what it tells.
func (u *user) sees(what string, is func(report.Summary) bool) report.Summary {
	u.t.Helper()
	var summary report.Summary
	require.Eventually(u.t, func() bool {
		cmd, said, _ := u.plugin("list", name, "--output=json")
		var list report.List
		if cmd.Run() != nil || json.Unmarshal(said.Bytes(), &list) != nil || len(list.Items) != 1 {
			return false
		}
		summary = list.Items[0]
		return is(summary)
	}, patience, tick, what)
	return summary
}

// changes gives the watched object another value.
func (u *user) changes(to string) {
	u.t.Helper()
	object := &corev1.ConfigMap{}
	require.NoError(u.t, u.Client.Get(u.t.Context(), client.ObjectKey{Namespace: u.namespace, Name: "app-config"}, object))
	object.Data["colour"] = value + to
	require.NoError(u.t, u.Client.Update(u.t.Context(), object))
}

// runs waits for the Job of the trigger of this number.
func (u *user) runs(number int64) string {
	u.t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.EventuallyWithT(u.t, func(c *assert.CollectT) {
		require.NoError(c, u.Client.Get(u.t.Context(), client.ObjectKey{Namespace: u.namespace, Name: name}, ctj))
		require.Equal(c, number, ctj.Status.TriggerCount)
	}, patience, tick)
	return ctj.Status.LastJobName
}

// ends has the Job of the trigger of this number end, and waits until the operator has told so.
func (u *user) ends(number int64, outcome batchv1.JobConditionType) (job string) {
	u.t.Helper()
	job = u.runs(number)
	require.NoError(u.t, jobs.Finish(u.t.Context(), u.Client, u.namespace, job, outcome))
	u.sees("that the Job has ended", func(s report.Summary) bool {
		return s.LastJobName == job && (s.LastJobStatus == v1alpha.JobSucceeded || s.LastJobStatus == v1alpha.JobFailed)
	})
	return job
}

func TestWhatTheOperatorDoesIsWhatThePluginTells(t *testing.T) {
	u := newUser(t)
	object, ctj := "ConfigMap "+u.namespace+"/app-config", u.namespace+"/"+name

	assert.Contains(t, u.does("check", u.file), ctj+": valid, would be created "+object+": exists data: object with 1 entry")
	applied, err := u.Kubectl("apply", "--filename="+u.file).CombinedOutput()
	require.NoError(t, err, string(applied))
	idle := u.sees("that it watches", func(s report.Summary) bool { return s.State == "Idle" })
	assert.Equal(t, []any{1, 0, int64(0)}, []any{idle.References, idle.Pending, idle.TriggerCount})

	t.Log("before anything has changed")
	assert.Contains(t, u.does("check", u.file), ctj+": valid, would be updated")
	assert.Contains(t, u.does("list"), "NAME STATE PENDING LAST OUTCOME NEXT "+name+" Idle 0/1 - - -")
	assert.Contains(t, u.does("describe", name), "Next trigger: when something changes")
	assert.Equal(t, ctj+": nothing differs from what the last Job ran for", u.does("diff", name))
	u.saysThatThereIsNone("history", name)
	assert.Equal(t, object+" └─ "+ctj+": data", u.does("graph"))

	t.Log("a change while it is suspended")
	assert.Contains(t, u.does("suspend", name), name+" suspended")
	u.sees("that the operator knows of it", func(s report.Summary) bool { return s.Suspended && !s.Outdated })
	u.changes("green")
	u.sees("the change", func(s report.Summary) bool { return s.State == "Suspended" && s.Pending == 1 })
	assert.Contains(t, u.does("diff", name), ctj+": differs from what the last Job ran for "+object+", pending for ")
	assert.Contains(t, u.does("diff", name), " Changed data")
	described := u.does("describe", name)
	assert.Contains(t, described, "State: Suspended")
	assert.Contains(t, described, "Changed data")
	assert.Contains(t, u.fails("run", name), name+" is suspended: resume it, or run it with --force")
	u.saysThatThereIsNone("history", name)

	t.Log("it goes on, and the Job of the change succeeds")
	assert.Contains(t, u.does("resume", name), name+" resumed")
	first := u.runs(1)
	u.sees("the Job", func(s report.Summary) bool { return s.State == "JobActive" && s.LastJobStatus == v1alpha.JobActive })
	require.Equal(t, first, u.ends(1, batchv1.JobComplete))
	assert.Equal(t, ctj+": nothing differs from what the last Job ran for", u.does("diff", name))
	described = u.does("describe", name)
	assert.Contains(t, described, "Last trigger: number 1, ")
	assert.Contains(t, described, "Job: "+first+", Succeeded after ")
	assert.Contains(t, described, "Why: Change: "+object+" (data)")
	assert.Regexp(t, `^# AGE JOB OUTCOME DURATION CHANGED 1 \S+ `+first+` Succeeded \d+s ConfigMap app-config `, u.does("history", name))

	t.Log("a change in the cooldown waits, and run does not")
	u.changes("red")
	cooling := u.sees("the cooldown", func(s report.Summary) bool { return s.State == "Cooldown" && s.Pending == 1 })
	require.NotNil(t, cooling.Next.Time)
	require.NotNil(t, cooling.LastTriggeredTime)
	assert.WithinDuration(t, cooling.LastTriggeredTime.Add(time.Hour), cooling.Next.Time.Time, 2*time.Second)
	assert.Regexp(t, name+` Cooldown 1/1 \S+ Succeeded (1h|60m|59m)`, u.does("list"))
	assert.Contains(t, u.does("run", name), name+" asked to run")
	second := u.ends(2, batchv1.JobFailed)
	assert.Equal(t, ctj+": nothing differs from what the last Job ran for", u.does("diff", name), "it has answered the change, too")
	assert.Contains(t, u.does("list"), " Failed ")
	assert.Contains(t, u.does("history", name, "--output=wide"), " "+second+" Failed ")
	var history report.History
	require.NoError(t, json.Unmarshal([]byte(u.does("history", name, "--output=json")), &history))
	assert.Equal(t, int64(2), history.TriggerCount)
	require.Len(t, history.Triggers, 2)
	assert.Equal(t, []any{int64(2), "RunNow", "Failed"}, []any{history.Triggers[0].Number, string(history.Triggers[0].Reason), history.Triggers[0].Outcome})
	assert.Equal(t, []any{int64(1), "Change", "Succeeded"}, []any{history.Triggers[1].Number, string(history.Triggers[1].Reason), history.Triggers[1].Outcome})

	t.Log("run --wait ends as the Job does")
	out, complaint, err := u.waits(3, batchv1.JobComplete)
	require.NoError(t, err, complaint)
	assert.Equal(t, "job.batch/"+u.runs(3)+" succeeded\n", out)
	out, complaint, err = u.waits(4, batchv1.JobFailed)
	exit := &exec.ExitError{}
	require.True(t, errors.As(err, &exit), complaint)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Empty(t, out)
	assert.Equal(t, "error: Job "+u.runs(4)+" has failed\n", complaint)
	assert.Contains(t, u.does("describe", name), "Last trigger: number 4, ")
}

// waits runs run --wait, and ends the Job that it waits for, which is that of this number.
func (u *user) waits(number int64, outcome batchv1.JobConditionType) (out, complaint string, err error) {
	u.t.Helper()
	cmd, said, complained := u.plugin("run", name, "--wait", "--timeout="+patience.String())
	require.NoError(u.t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }() // it has ended, unless the test fails
	u.ends(number, outcome)
	select {
	case err = <-ended:
		return said.String(), complained.String(), err
	case <-time.After(2 * patience):
		require.Fail(u.t, "it goes on waiting for a Job that has ended")
		return "", "", nil
	}
}
