package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nodeLockFD is the file descriptor at which the node's first process holds the lock of its folder.
const nodeLockFD = 3

// hostPID is the environment variable that tells the node its first process's id outside.
const hostPID = "LOCALCLUSTER_NODE_PID"

// nodeCommand runs a command that is about a real node.
func nodeCommand(ctx context.Context, command string, args []string) error {
	switch command {
	case "node-preflight":
		return nodePreflightCommand(args)
	case "node-up":
		return nodeUpCommand(ctx, args)
	case "node-down":
		return nodeDownCommand(ctx, args)
	case "node-exec":
		return nodeExecCommand(args)
	case "node-push":
		return nodePushCommand(args)
	case "node-first":
		return nodeFirstCommand(args)
	case "node-run":
		return nodeRunCommand(ctx, args)
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("unknown command %q", command)
	}
}

func nodePreflightCommand(args []string) error {
	flags := flag.NewFlagSet("localcluster node-preflight", flag.ContinueOnError)
	o := nodeFlags(flags)
	built := flags.Bool("built", true, "ask for the programs that `make node` builds, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	m := lookForNode(o)
	if !*built {
		m.unbuilt = nil
	}
	if err := m.verdict(); err != nil {
		return err
	}
	fmt.Println("Everything is here that a real node needs.")
	return nil
}

// nodeUpCommand starts a node, unless one runs in the folder already, and returns when a first Job has run on it.
func nodeUpCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster node-up", flag.ContinueOnError)
	o := nodeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if err := lookForNode(o).verdict(); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	if pid, err := nodeHolder(o.dir); err != nil {
		return err
	} else if pid != 0 {
		return reportNode(ctx, o.dir, pid, "runs already", func() error {
			if now, err := nodeHolder(o.dir); err != nil || now != pid {
				return errors.Join(err, errors.New("the node ended"))
			}
			return nil
		})
	}
	// What is left of one that was killed.
	if err := removeNode(ctx, o.dir); err != nil {
		return err
	}
	if err := claimNode(o.dir); err != nil {
		return err
	}
	held, err := lock(o.dir)
	if err != nil {
		return err
	}
	err = launchNode(ctx, o, args, held)
	_ = held.Close()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.Join(err, removeNode(context.WithoutCancel(ctx), o.dir))
	default:
		return errors.Join(err, endNode(ctx, o.dir), fmt.Errorf("its logs stay in %s until the next node-up or node-down", o.dir))
	}
}

// launchNode starts the first process of the node and hands the lock to it.
func launchNode(ctx context.Context, o *nodeOptions, args []string, held *os.File) error {
	logName := filepath.Join(o.dir, "localcluster.log")
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append([]string{"node-first"}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = nodeEnvironment(o)
	cmd.ExtraFiles = []*os.File{held}
	cmd.SysProcAttr = isolation
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("this machine does not let a process have a network, mounts and process ids of its own: %w", err)
	}
	// From now on the lock is the node's.
	if _, err := held.WriteAt([]byte(fmt.Sprintf("%-10d", cmd.Process.Pid)), 0); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return reportNode(ctx, o.dir, cmd.Process.Pid, "is ready", func() error {
		select {
		case <-ended:
			return fmt.Errorf("the node ended: %s", tail(logName))
		default:
			return nil
		}
	})
}

// nodeEnvironment is all that the node sees of the caller's environment: no proxy, no kubeconfig.
func nodeEnvironment(o *nodeOptions) []string {
	return []string{"HOME=" + o.dir, "PATH=" + o.programs + ":" + o.assets + ":" + nodePath}
}

// reportNode waits until the node in dir is ready, as long as alive does not object, and says so.
func reportNode(ctx context.Context, dir string, pid int, what string, alive func() error) error {
	var d *nodeDescription
	err := await(ctx, 10*time.Minute, "the node in "+dir, alive, func() bool {
		var err error
		d, err = readNode(dir)
		return err == nil && d.PID == pid
	})
	if err == nil {
		fmt.Print(d.report(what))
	}
	return err
}

// report is what the user is told of a node.
func (d *nodeDescription) report(what string) string {
	type moment struct {
		name    string
		seconds float64
	}
	var moments []moment
	for name, seconds := range d.Seconds {
		moments = append(moments, moment{name, seconds})
	}
	sort.Slice(moments, func(i, j int) bool { return moments[i].seconds < moments[j].seconds })
	text := &strings.Builder{}
	fmt.Fprintf(text, "The node %s. It has a network of its own: reach it with\n\n    bin/localcluster node-exec --data-dir %s -- kubectl get pods -A\n\n",
		what, d.DataDir)
	fmt.Fprintf(text, "Its registry there is %s, with TLS %s. After the start", d.Registry, d.RegistryTLS)
	for i, m := range moments {
		separator := ","
		if i == 0 {
			separator = ""
		}
		fmt.Fprintf(text, "%s %s %.1f s", separator, m.name, m.seconds)
	}
	text.WriteString(".\n")
	return text.String()
}

// nodeDownCommand ends the node that runs in a folder, if one does, and removes all that it left.
func nodeDownCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster node-down", flag.ContinueOnError)
	var dir string
	dataDirFlag(flags, &dir)
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	_, err = os.Stat(dir)
	there := err == nil
	if os.Geteuid() != 0 {
		if !there {
			fmt.Printf("No node in %s.\n", dir)
			return nil
		}
		return errors.New("a real node is root's: run this as root")
	}
	if there {
		if pid, err := nodeHolder(dir); err != nil {
			return err
		} else if pid != 0 {
			for _, guest := range guests(pid) {
				fmt.Printf("Process %s is still in the node's network, which stays until that ends.\n", guest)
			}
		}
	}
	// Without its folder too: it may have been removed under a node that runs.
	if err := removeNode(ctx, dir); err != nil {
		return err
	}
	if there {
		fmt.Printf("The node in %s is stopped and removed.\n", dir)
	} else {
		fmt.Printf("No node in %s.\n", dir)
	}
	return nil
}

// nodeMarker is the file that tells a node's folder from any other: only a folder that has it, or is empty, is ever removed.
const nodeMarker = ".localcluster-node"

// claimNode makes a new or empty folder a node's.
func claimNode(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, nodeMarker),
		[]byte("A node of localcluster keeps its data in this folder. `localcluster node-down` removes it, with everything in it.\n"), 0o600)
}

// nodeHolder returns the id of the first process of the node in dir, 0 when none runs. A folder that holds something else is an error.
func nodeHolder(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(dir, nodeMarker)); err != nil {
		return 0, fmt.Errorf("%s holds other files and no node: it is left alone, choose another with --data-dir", dir)
	}
	pid, err := holder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return pid, err
}

// removeNode ends the node in dir, if it runs, and removes what is left of it or of one that was killed.
func removeNode(ctx context.Context, dir string) error {
	if err := endNode(ctx, dir); err != nil {
		return err
	}
	return removeAll(dir)
}

// endNode ends the node in dir, if it runs, and leaves of it, or of one that was killed, nothing but its folder.
func endNode(ctx context.Context, dir string) error {
	pid, err := nodeHolder(dir)
	if err != nil {
		return err
	}
	if pid != 0 {
		if err := kill(ctx, dir, pid); err != nil {
			return err
		}
	}
	return removeCgroup(nodeCgroup(dir))
}

// kill kills the first process of the node and waits until it has let go of the lock. Nothing on it is worth an orderly end:
// the kernel ends all of it at once.
func kill(ctx context.Context, dir string, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for {
		if now, err := nodeHolder(dir); err != nil || now != pid {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// guests returns the processes that entered the network of a node from outside.
func guests(pid int) (all []string) {
	network, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	own, _ := os.Readlink("/proc/self/ns/pid")
	for _, process := range processes {
		in, err := os.Readlink(process + "/ns/net")
		if err != nil || in != network {
			continue
		}
		if space, err := os.Readlink(process + "/ns/pid"); err == nil && space == own {
			name, _ := os.ReadFile(process + "/comm")
			all = append(all, filepath.Base(process)+" ("+strings.TrimSpace(string(name))+")")
		}
	}
	return all
}

// nodeExecCommand runs a command in the network of a node, with its kubeconfig and programs, in place of this process.
func nodeExecCommand(args []string) error {
	flags := flag.NewFlagSet("localcluster node-exec", flag.ContinueOnError)
	o := nodeFlags(flags)
	inside := flags.Bool("inside", false, "with the node's processes and mounts too, as on a machine of its own: for ctr, ps and the like")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("node-exec needs a command: localcluster node-exec -- kubectl get pods -A")
	}
	return enterNode(o, *inside, flags.Args())
}

// nodePushCommand pushes an image from an archive into the registry of a node.
func nodePushCommand(args []string) error {
	flags := flag.NewFlagSet("localcluster node-push", flag.ContinueOnError)
	o := nodeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New("node-push needs ARCHIVE NAME: a docker-archive, an OCI archive or an OCI layout, and the image's name in manifests")
	}
	return enterNode(o, false, append([]string{"registry", "push"}, flags.Args()...))
}

// enterNode replaces this process by a command in the node's network.
func enterNode(o *nodeOptions, inside bool, command []string) error {
	if os.Geteuid() != 0 {
		return errors.New("a real node is root's: run this as root")
	}
	var err error
	for _, path := range []*string{&o.dir, &o.assets, &o.programs} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	d, err := readNode(o.dir)
	if err == nil {
		var pid int
		if pid, err = holder(o.dir); err == nil && pid != d.PID {
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no node runs in %s: `make node-up`", o.dir)
	}
	if err != nil {
		return err
	}
	nsenter, err := findProgram("nsenter")
	if err != nil {
		return err
	}
	argv := []string{"nsenter", "--net=" + d.Network}
	if inside {
		argv = append(argv, "--target="+strconv.Itoa(d.PID), "--mount", "--pid")
	}
	env := d.environment(os.Environ(), o.assets, o.programs)
	return syscall.Exec(nsenter, append(append(argv, "--"), command...), env)
}

// nodeFirstCommand is the first process of a node: it sets the node apart from the machine and clears away what ends on it.
func nodeFirstCommand(args []string) error {
	flags := flag.NewFlagSet("localcluster node-first", flag.ContinueOnError)
	o := nodeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	syscall.CloseOnExec(nodeLockFD)
	// The machine's /proc, which is still there, knows us by our number outside.
	pid, err := os.Readlink("/proc/self")
	if err != nil {
		return err
	}
	if os.Getpid() != 1 || pid == "1" {
		return errors.New("node-first is started by node-up")
	}
	if err := joinCgroup(nodeCgroup(o.dir) + "/system"); err != nil {
		return err
	}
	if err := isolate(o.dir); err != nil {
		return err
	}
	if err := buildNetwork(); err != nil {
		return err
	}
	return firstProcess(append([]string{"localcluster", "node-run"}, args...), append(os.Environ(), hostPID+"="+pid))
}

// nodeRunCommand runs all programs of a node until one of them ends, which is an error.
func nodeRunCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster node-run", flag.ContinueOnError)
	o := nodeFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	pid, err := strconv.Atoi(os.Getenv(hostPID))
	if err != nil {
		return errors.New("node-run is started by node-up")
	}
	n, err := newNode(*o)
	if err != nil {
		return err
	}
	d, err := n.start(ctx)
	if err != nil {
		return err
	}
	d.PID, d.Network = pid, fmt.Sprintf("/proc/%d/ns/net", pid)
	content, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	state := filepath.Join(o.dir, nodeStateName)
	// Renamed into place: whoever reads the state finds all of it.
	if err := os.WriteFile(state+".new", append(content, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.Rename(state+".new", state); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case p := <-n.ended:
		return p.failure()
	}
}
