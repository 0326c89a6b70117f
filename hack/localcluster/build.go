package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// places are where the components' sources are and where the programs go.
type places struct{ sources, bin string }

func placeFlags(flags *flag.FlagSet) *places {
	p := &places{}
	flags.StringVar(&p.sources, "sources", filepath.Join("hack", "localcluster"), "folder with the components' modules")
	flags.StringVar(&p.bin, "bin", "bin", "folder for the programs")
	return p
}

func (p places) module(c component) string { return filepath.Join(p.sources, c.folder()) }
func (p places) output(c component) string { return filepath.Join(p.bin, filepath.FromSlash(c.output)) }

// buildCommand compiles the components whose programs are missing or made from other sources than today's.
func buildCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster build", flag.ContinueOnError)
	places := placeFlags(flags)
	anyway := flags.Bool("no-preflight", false, "build even on a machine that seems too small")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := selected(flags.Args())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(places.bin, 0o755); err != nil {
		return err
	}
	unlock, err := lockBuild(places.bin)
	if err != nil {
		return err
	}
	defer unlock()

	var stale []component
	stamps := map[string]string{}
	minutes := 0
	for _, c := range chosen {
		if err := os.MkdirAll(filepath.Dir(places.output(c)), 0o755); err != nil {
			return err
		}
		stamp, err := places.stamp(ctx, c)
		if err != nil {
			return err
		}
		if places.stamped(c) == stamp {
			if err := places.link(c); err != nil {
				return err
			}
			continue
		}
		stamps[c.name] = stamp
		stale = append(stale, c)
		minutes += c.minutes
	}
	if len(stale) == 0 {
		return nil
	}
	if !*anyway {
		if err := preflight(ctx, *places, stale); err != nil {
			return err
		}
	}
	fmt.Printf("Building %s. The first time takes about %d minutes on two cores; later ones find most of it in Go's build cache.\n",
		names(stale), minutes)
	for _, c := range stale {
		if err := places.build(ctx, c); err != nil {
			return fmt.Errorf("building %s: %w", c.name, err)
		}
		// Last, so that a build that was broken off is not taken for a complete one.
		if err := os.WriteFile(places.stampFile(c), []byte(stamps[c.name]+"\n"), 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%s holds %d MB, which `make clean` frees. What is compiled stays in Go's build cache for the next time (`go clean -cache` frees that).\n",
		places.bin, size(places.bin)/1_000_000)
	return nil
}

func names(components []component) string {
	var all []string
	for _, c := range components {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

// lockBuild waits until no other build writes to bin.
func lockBuild(bin string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(bin, ".build.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		fmt.Println("Waiting for another build of the control plane.")
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}

// stamp identifies what the component's program would be made from now.
func (p places) stamp(ctx context.Context, c component) (string, error) {
	flags, err := c.buildFlags(p.module(c))
	if err != nil {
		return "", err
	}
	version, err := goEnv(ctx, p.module(c), "GOVERSION")
	if err != nil {
		return "", fmt.Errorf("go: %w", err)
	}
	words := append([]string{version[0], runtime.GOOS, runtime.GOARCH}, flags...)
	dirs := []string{p.module(c), filepath.Join(p.sources, "lifeline")}
	if strings.HasPrefix(c.pkg, "./") {
		dirs = append(dirs, filepath.Join(p.module(c), filepath.FromSlash(c.pkg)))
	}
	return fingerprint(dirs, words...)
}

func (p places) stampFile(c component) string { return p.output(c) + ".stamp" }

// stamped returns the stamp that the component's present program was made with, "" when there is no program or no stamp.
func (p places) stamped(c component) string {
	if _, err := os.Stat(p.output(c)); err != nil {
		return ""
	}
	content, err := os.ReadFile(p.stampFile(c))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// goCommand prepares the go command for a component: for this machine whatever GOOS and GOARCH are set to for the project's
// own programs, without a C compiler, outside any workspace.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=", "GOARCH=", "GOWORK=off")
	// On Ctrl-C it removes its temporary files; its compilers end with it.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// build compiles the component, tells its progress, and puts program and links in place.
func (p places) build(ctx context.Context, c component) error {
	flags, err := c.buildFlags(p.module(c))
	if err != nil {
		return err
	}
	output, err := filepath.Abs(p.output(c))
	if err != nil {
		return err
	}
	show := newProgress(os.Stdout, c.name)
	show.phase("fetching modules")
	list := goCommand(ctx, p.module(c), append(append([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, flags...), c.target())...)
	list.Stderr = os.Stderr
	stale, err := list.Output()
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	show.total = strings.Count(string(stale), "\n") - strings.Count(string(stale), "\n\n")

	show.phase("compiling")
	build := goCommand(ctx, p.module(c), append(append([]string{"build", "-v", "-o", output + ".new"}, flags...), c.target())...)
	lines, err := build.StderrPipe()
	if err != nil {
		return err
	}
	if err := build.Start(); err != nil {
		return err
	}
	messages := show.follow(lines)
	if err := build.Wait(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%w\n%s", err, strings.Join(messages, "\n")))
	}
	// Renamed into place: a control plane that runs the old program goes on undisturbed.
	if err := os.Rename(output+".new", output); err != nil {
		return err
	}
	show.done()
	return p.link(c)
}

// link makes the component's other names, if they are not there.
func (p places) link(c component) error {
	for name, target := range c.links {
		path := filepath.Join(p.bin, filepath.FromSlash(name))
		if current, err := os.Readlink(path); err == nil && current == target {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}

// size returns how many bytes the files in a folder hold.
func size(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil
	})
	return bytes
}

// progress tells how far a build is: on a terminal in one line that is rewritten, elsewhere in a line every half minute.
type progress struct {
	out      io.Writer
	terminal bool
	name     string
	started  time.Time
	told     time.Time

	// total is how many packages there are to compile, count how many of them are begun.
	total, count int
}

func newProgress(out *os.File, name string) *progress {
	info, err := out.Stat()
	return &progress{
		out: out, name: name, started: time.Now(),
		terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
	}
}

func (p *progress) phase(what string) { p.tell(what, true) }

func (p *progress) tell(what string, now bool) {
	interval := 30 * time.Second
	if p.terminal {
		interval = 200 * time.Millisecond
	}
	if !now && time.Since(p.told) < interval {
		return
	}
	p.told = time.Now()
	text := fmt.Sprintf("  %s: %s (%s)", p.name, what, time.Since(p.started).Round(time.Second))
	if p.terminal {
		_, _ = fmt.Fprintf(p.out, "\r\033[K%s", text)
	} else {
		_, _ = fmt.Fprintln(p.out, text)
	}
}

func (p *progress) done() {
	p.tell("done", true)
	if p.terminal {
		_, _ = fmt.Fprintln(p.out)
	}
}

// follow reads what `go build -v` prints, tells the progress and returns the lines that are not names of packages:
// messages of compiler and linker.
func (p *progress) follow(lines io.Reader) (messages []string) {
	compiling := time.Now()
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if line == "" || strings.ContainsAny(line, " \t") {
			messages = append(messages, line)
			continue
		}
		p.count++
		p.tell(p.packages(time.Since(compiling)), false)
	}
	// A line too long for the scanner ends the counting; the build must not be kept from writing on.
	_, _ = io.Copy(io.Discard, lines)
	return messages
}

// packages says how many packages are compiled after so much time and how long the rest takes at that pace.
func (p *progress) packages(elapsed time.Duration) string {
	if p.count >= p.total {
		return "linking"
	}
	left := time.Duration(float64(elapsed) / float64(p.count) * float64(p.total-p.count))
	text := fmt.Sprintf("%d of %d packages", p.count, p.total)
	if elapsed > 20*time.Second {
		text += fmt.Sprintf(", about %s left", left.Round(10*time.Second))
	}
	return text
}
