package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const gibibyte = 1 << 30

// linkerMemory is what the linker needs for the largest program, measured, with some room.
const linkerMemory = 4 * gibibyte

// machine is what preflight looks at.
type machine struct {
	goVersion string // such as go1.26.8; "" when there is no Go
	goError   string // why, in that case
	folders   []folder
	memory    uint64 // available, in bytes; 0 when unknown
}

// folder is a place that the build writes to.
type folder struct {
	purpose, path string
	filesystem    uint64 // tells whether two folders share their space
	free          uint64 // in bytes
}

// wantedGo is the oldest Go that compiles the components.
var wantedGo = [2]int{1, 26}

// complaints says what the machine lacks for a build that fills so many gigabytes, a sentence each.
func (m machine) complaints(gigabytes int) []string {
	var all []string
	if m.goVersion == "" {
		all = append(all, fmt.Sprintf("Go %d.%d or later is needed: %s", wantedGo[0], wantedGo[1], m.goError))
	} else if major, minor, ok := parseGo(m.goVersion); ok && (major < wantedGo[0] || major == wantedGo[0] && minor < wantedGo[1]) {
		all = append(all, fmt.Sprintf("Go %d.%d or later is needed, this is %s", wantedGo[0], wantedGo[1], m.goVersion))
	}
	seen := map[uint64]bool{}
	for _, f := range m.folders {
		// The folders mostly share one file system; where they do not, each is asked for the whole, for simplicity.
		if seen[f.filesystem] {
			continue
		}
		seen[f.filesystem] = true
		if need := uint64(gigabytes) * gibibyte; f.free < need {
			all = append(all, fmt.Sprintf("%.1f GiB are free in %s (%s), %d GiB are needed", float64(f.free)/gibibyte, f.path, f.purpose, gigabytes))
		}
	}
	if m.memory != 0 && m.memory < linkerMemory {
		all = append(all, fmt.Sprintf("%.1f GiB of memory are available, the linker needs %d GiB", float64(m.memory)/gibibyte, linkerMemory/gibibyte))
	}
	return all
}

// parseGo reads a version such as go1.26.8, go1.26rc1 or go1.27-custom; ok is false for others (a development version).
func parseGo(version string) (major, minor int, ok bool) {
	match := regexp.MustCompile(`^go(\d+)\.(\d+)`).FindStringSubmatch(version)
	if match == nil {
		return 0, 0, false
	}
	major, _ = strconv.Atoi(match[1])
	minor, _ = strconv.Atoi(match[2])
	return major, minor, true
}

// look describes this machine, for a build of the module in dir into bin.
func look(ctx context.Context, dir, bin string) machine {
	m := machine{memory: availableMemory()}
	values, err := goEnv(ctx, dir, "GOVERSION", "GOCACHE", "GOMODCACHE")
	if err != nil {
		m.goError = err.Error()
		values = []string{"", "", ""}
	}
	m.goVersion = values[0]
	for _, f := range []folder{
		{purpose: "Go's build cache", path: values[1]},
		{purpose: "Go's module cache", path: values[2]},
		{purpose: "the programs", path: bin},
	} {
		if f.path == "" {
			continue
		}
		if filesystem, free, err := space(f.path); err == nil {
			f.filesystem, f.free = filesystem, free
			m.folders = append(m.folders, f)
		}
	}
	return m
}

// goEnv asks the go command that would build in dir for some of its variables.
func goEnv(ctx context.Context, dir string, names ...string) ([]string, error) {
	out, err := goCommand(ctx, dir, append([]string{"env"}, names...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, err
	}
	values := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(values) != len(names) {
		return nil, fmt.Errorf("go env %s printed %d lines", strings.Join(names, " "), len(values))
	}
	return values, nil
}

// space returns what identifies the file system of a folder, which need not exist yet, and how many bytes are free there.
func space(path string) (filesystem, free uint64, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, 0, err
	}
	for {
		var stat syscall.Stat_t
		if err = syscall.Stat(path, &stat); err == nil {
			var fs syscall.Statfs_t
			if err = syscall.Statfs(path, &fs); err != nil {
				return 0, 0, err
			}
			return uint64(stat.Dev), fs.Bavail * uint64(fs.Bsize), nil //nolint:unconvert // Dev is an int32 on macOS
		}
		if path == filepath.Dir(path) {
			return 0, 0, err
		}
		path = filepath.Dir(path)
	}
}

// availableMemory returns how many bytes a new program may take, 0 where that is not told the way Linux tells it.
func availableMemory() uint64 {
	content, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`(?m)^MemAvailable:\s+(\d+) kB`).FindSubmatch(content)
	if match == nil {
		return 0
	}
	kilobytes, _ := strconv.ParseUint(string(match[1]), 10, 64)
	return kilobytes * 1024
}

func preflightCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster preflight", flag.ContinueOnError)
	places := placeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := selected(flags.Args())
	if err != nil {
		return err
	}
	if err := preflight(ctx, *places, chosen); err != nil {
		return err
	}
	fmt.Println("Everything is here that the build of the control plane needs.")
	return nil
}

// preflight returns an error that says everything the machine lacks for building these components.
func preflight(ctx context.Context, places places, chosen []component) error {
	if len(chosen) == 0 {
		return nil
	}
	gigabytes := 0
	for _, c := range chosen {
		gigabytes += c.gigabytes
	}
	complaints := look(ctx, places.module(chosen[0]), places.bin).complaints(gigabytes)
	if len(complaints) == 0 {
		return nil
	}
	return fmt.Errorf("this machine is not ready for the build:\n  - %s", strings.Join(complaints, "\n  - "))
}
