package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// shiftedClock is a clock whose time of day is wrong by what a file says. As on a machine whose clock somebody sets, its
// monotonic part, by which Go compares the times that one process takes, goes on as before: it is left alone in what time.Time
// keeps of both, which is seconds from bit 30 on in its first word.
const shiftedClock = `package main

import (
	"os"
	"time"
	"unsafe"

	"k8s.io/utils/clock"
)

type shifted struct{ clock.RealClock }

func (shifted) Now() time.Time {
	content, _ := os.ReadFile(os.Getenv("CLOCK_SHIFT"))
	shift, _ := time.ParseDuration(string(content))
	return set(time.Now(), shift)
}

func (s shifted) Since(t time.Time) time.Duration { return s.Now().Sub(t) }

func set(t time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(by/time.Second) << 30
	return t
}

func init() {
	now := time.Now()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		if t := set(now, by); t.Sub(now) != 0 || t.Round(0).Sub(now.Round(0)) != by {
			panic("time.Time is not what it was")
		}
	}
}
`

// wrongClock builds the operator with that clock in place of its own, by an overlay: the program that is released has
// no way to be given another time, and needs none.
func wrongClock(t *testing.T) string {
	t.Helper()
	root, err := apiserver.Root()
	require.NoError(t, err)
	main := filepath.Join(root, "main.go")
	overlay := map[string]string{}
	// What lies over the sources already stays there: so it is where a guard is removed from them.
	flags := strings.Fields(os.Getenv("GOFLAGS"))
	kept := flags[:0]
	for _, flag := range flags {
		file, found := strings.CutPrefix(flag, "-overlay=")
		if !found {
			kept = append(kept, flag)
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var under struct{ Replace map[string]string }
		require.NoError(t, json.Unmarshal(content, &under))
		overlay = under.Replace
	}
	source, err := os.ReadFile(main)
	require.NoError(t, err)
	const itsOwn = "clock.RealClock{}"
	require.Equal(t, 1, strings.Count(string(source), itsOwn), "main.go has one clock")
	dir := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	source = []byte(strings.Replace(string(source), itsOwn, "shifted{}", 1))
	source = []byte(strings.Replace(string(source), "\t\"k8s.io/utils/clock\"\n", "", 1))
	overlay[main] = write("main.go", string(source))
	overlay[filepath.Join(root, "clock_shifted.go")] = write("clock_shifted.go", shiftedClock)
	content, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)

	program := filepath.Join(dir, "manager")
	build := exec.Command("go", "build", "-overlay", write("overlay.json", string(content)), "-o", program, ".")
	build.Dir = root
	build.Env = append(os.Environ(), "GOFLAGS="+strings.Join(kept, " "))
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// setClock has clocks be wrong that look into that file.
func setClock(t *testing.T, file string, by time.Duration) {
	t.Helper()
	require.NoError(t, os.WriteFile(file+".new", []byte(by.String()), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

func TestAClockThatJumpsStopsNothingForLong(t *testing.T) {
	w := inShared(t, "a clock that jumps by an hour, and a lastTriggeredTime in the future, put off no Job by more than the cooldown, and make none too many")
	shift := filepath.Join(t.TempDir(), "shift")
	jump := func(by time.Duration) {
		setClock(t, shift, by)
		w.report.injected("the clock is wrong by "+by.String(), 1)
	}
	jump(0)
	w.options.Program = wrongClock(t)
	w.options.Env = []string{"CLOCK_SHIFT=" + shift}
	w.start()
	w.configMap("config")
	cooldown := func(d time.Duration) func(*v1alpha.ChangeTriggeredJobSpec) {
		return func(s *v1alpha.ChangeTriggeredJobSpec) { s.Cooldown = &metav1.Duration{Duration: d} }
	}
	w.ctj("none", []string{"config"})
	w.ctj("short", []string{"config"}, cooldown(2*time.Second))
	w.watching("none", "short")
	count := int64(0)
	answered := func() {
		t.Helper()
		count++
		w.change("config")
		w.triggered("none", count)
		w.triggered("short", count)
	}
	answered()
	for _, by := range []time.Duration{time.Hour, 0, -time.Hour, 0, -time.Hour, time.Hour, 0} {
		jump(by)
		answered()
		answered()
	}

	// What waits for another try when the clock jumps waits no longer for it.
	w.quota("0")
	jump(time.Hour)
	w.change("config")
	w.condition("none", trigger.ConditionDegraded, trigger.ReasonJobNotCreated)
	w.condition("short", trigger.ConditionDegraded, trigger.ReasonJobNotCreated)
	jump(0)
	w.quota(noQuota)
	answered()

	// The other way round: the time in status is that of a clock that was wrong, and the operator starts anew.
	w.process.Stop(t)
	ctj, err := w.get("short")
	require.NoError(t, err)
	ctj.Status.LastTriggeredTime = &metav1.Time{Time: time.Now().Add(24 * time.Hour)}
	require.NoError(t, w.Client.Status().Update(t.Context(), ctj))
	w.report.injected("lastTriggeredTime lies in the future", 1)
	w.start()
	answered()
	assert.EqualValues(t, 2*count, w.rests().created)
	ctj, err = w.get("short")
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), ctj.Status.LastTriggeredTime.Time, patience)
}
