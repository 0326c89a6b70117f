package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestWhichComponentsAreBuilt(t *testing.T) {
	for name, test := range map[string]struct {
		names []string
		want  string
		err   string
	}{
		"without names, all that are not optional": {nil, "kubernetes, kwok", ""},
		"an optional one when it is named":         {[]string{"kubernetes-1.29", "kubernetes"}, "kubernetes, kubernetes-1.29", ""},
		"one that is named twice, once":            {[]string{"kwok", "kwok"}, "kwok", ""},
		"an unknown one is refused":                {[]string{"kwok", "kubelet"}, "", `no component is called "kubelet"`},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := selected(test.names)
			if message(err) != test.err || names(chosen) != test.want {
				t.Errorf("got %q, %v", names(chosen), err)
			}
		})
	}
}

func TestTheVersionIsTheOneThatTheModuleRequires(t *testing.T) {
	for name, want := range map[string]string{"kubernetes": "v1.37.2", "kwok": "v0.8.0", "kubernetes-1.29": "v1.29.15",
		"kubernetes-node": "v1.37.2", "containerd": "v2.4.2", "ctr": "v2.4.2", "registry": "v0.22.1",
		"olm": "v0.46.0", "olm-package-server": "v0.46.0", "cert-manager": "v1.21.2", "prometheus": "v0.316.0"} {
		t.Run(name, func(t *testing.T) {
			chosen, err := selected([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			version, err := chosen[0].version(chosen[0].folder())
			if err != nil || version != want {
				t.Fatalf("got %q, %v", version, err)
			}
			flags, err := chosen[0].buildFlags(chosen[0].folder())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(flags, " "), "ersion="+strings.TrimPrefix(want, "v")) &&
				!strings.Contains(strings.Join(flags, " "), "ersion="+want) {
				t.Errorf("flags without the version: %q", flags)
			}
		})
	}
}

func TestTheManifestsOfCertManagerNameTheVersionThatIsBuilt(t *testing.T) {
	chosen, err := selected([]string{"cert-manager"})
	if err != nil {
		t.Fatal(err)
	}
	version, err := chosen[0].version(chosen[0].folder())
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := os.ReadFile(filepath.Join(chosen[0].folder(), "manifests.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Count(string(manifests), "image: ")
	if here := strings.Count(string(manifests), "image: localhost:5000/cert-manager:"+version+"\n"); all == 0 || here != all {
		t.Errorf("%d of %d images are of %s", here, all, version)
	}
}

func TestTheFingerprintChangesWithEverySource(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]string{}
	look := func(when string, words ...string) {
		t.Helper()
		sum, err := fingerprint([]string{dir}, words...)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[sum]; ok {
			t.Errorf("the same %s as %s", when, before)
		}
		seen[sum] = when
	}
	look("empty")
	write("go.mod", "module a")
	look("with a go.mod")
	write("go.sum", "")
	look("with a go.sum")
	write("main.go", "package main")
	look("with a program")
	write("main.go", "package main\n")
	look("with a changed program")
	look("with another Go", "go1.99")
	look("with other flags", "go1.99", "-race")

	write("README.md", "words")
	write("main_test.go", "package main")
	again, err := fingerprint([]string{dir}, "go1.99", "-race")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := seen[again]; !ok {
		t.Error("a file that the program is not made from changed it")
	}
}

// TestABuildIsMadeOnceAndAgainWhenItsSourceChanges compiles a module of a few lines in place of a control plane.
func TestABuildIsMadeOnceAndAgainWhenItsSourceChanges(t *testing.T) {
	root := t.TempDir()
	tiny := component{
		name: "tiny", output: "out/tiny", links: map[string]string{"out/alias": "tiny"},
		dependency: "example.com/dependency", flags: func(v string) []string { return []string{"-X main.version=" + v} },
	}
	for name, content := range map[string]string{
		"tiny/go.mod":            "module tiny\n\ngo 1.22\n\nrequire example.com/dependency v1.2.3\n\nreplace example.com/dependency => ./dependency\n",
		"tiny/main.go":           "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
		"tiny/dependency/go.mod": "module example.com/dependency\n",
		"lifeline/lifeline.go":   "package lifeline\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := components
	components = []component{tiny}
	t.Cleanup(func() { components = old })
	bin := filepath.Join(root, "bin")
	t.Setenv("GOOS", "plan9") // what the project's own programs are built for does not matter
	build := func() os.FileInfo {
		t.Helper()
		if err := buildCommand(t.Context(), []string{"-sources", root, "-bin", bin}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(bin, "out", "alias"))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := build()
	if again := build(); !os.SameFile(first, again) {
		t.Error("built again although nothing changed")
	}
	if err := os.WriteFile(filepath.Join(root, "lifeline", "lifeline.go"), []byte("package lifeline // changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := build()
	if os.SameFile(first, second) {
		t.Error("not built again although a source changed")
	}
	if err := os.Remove(filepath.Join(bin, "out", "tiny")); err != nil {
		t.Fatal(err)
	}
	build()

	// A broken source: the message is the compiler's, and the program that worked stays.
	if err := os.WriteFile(filepath.Join(root, "tiny", "main.go"), []byte("package main\n\nfunc main() { undefined() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := buildCommand(t.Context(), []string{"-sources", root, "-bin", bin})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(bin, "out", "alias")); err != nil {
		t.Error(err)
	}
}

func TestProgressCountsPackagesAndKeepsMessages(t *testing.T) {
	var out strings.Builder
	p := &progress{out: &out, name: "tiny", total: 4}
	messages := p.follow(strings.NewReader("errors\nfmt\n# tiny\n./main.go:3:15: undefined: x\n"))
	if want := []string{"# tiny", "./main.go:3:15: undefined: x"}; !reflect.DeepEqual(messages, want) {
		t.Errorf("messages %q", messages)
	}
	if p.count != 2 {
		t.Errorf("counted %d packages", p.count)
	}
	for elapsed, want := range map[int]string{1: "2 of 4 packages", 60: "2 of 4 packages, about 1m0s left"} {
		if got := p.packages(seconds(elapsed)); got != want {
			t.Errorf("after %d s: %q", elapsed, got)
		}
	}
	p.count = 4
	if got := p.packages(seconds(60)); got != "linking" {
		t.Errorf("got %q", got)
	}
}
