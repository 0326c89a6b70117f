package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stateName is the file in a data folder that holds the control plane's description from the moment it is ready.
const stateName = "cluster.json"

// markerName is the file that tells a data folder from any other: only a folder that has it is ever removed.
const markerName = ".localcluster"

const marker = "A control plane of localcluster keeps its data in this folder. `localcluster down` removes it, with everything in it.\n"

// temporaryPrefix begins the names of data folders that `start` makes in the system's temporary folder.
const temporaryPrefix = "localcluster-"

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// clusterFlags defines the flags that `start` and `up` have in common.
func clusterFlags(flags *flag.FlagSet) (o *options, dataDir *string) {
	o = &options{}
	dataDir = flags.String("data-dir", "", "the control plane's folder; kept when it stops (default: a temporary one, removed when it stops)")
	flags.StringVar(&o.assets, "assets", defaultAssets(), "folder with the programs that `localcluster build` makes")
	flags.StringVar(&o.apiServer, "kube-apiserver", "", "another kube-apiserver than that of --assets")
	flags.Var((*list)(&o.apiServerArgs), "apiserver-arg", "one more argument for kube-apiserver, such as --v=3; may be repeated")
	flags.StringVar(&o.featureGates, "feature-gates", "", "feature gates of kube-apiserver, such as WatchList=false")
	flags.StringVar(&o.auditLog, "audit-log", "", "file for the API server's audit log (default: none is written)")
	flags.StringVar(&o.auditLevel, "audit-level", "Metadata", "what the audit log holds: Metadata or RequestResponse")
	flags.BoolVar(&o.controllers, "controllers", true, "run kube-controller-manager")
	flags.BoolVar(&o.node, "node", false, "run kube-scheduler, and kwok with one simulated node on which the pods of Jobs complete")
	flags.Var((*list)(&o.crds), "crds", "file or folder with custom resource definitions to install; may be repeated")
	return o, dataDir
}

// defaultAssets is the folder k8s beside this program.
func defaultAssets() string {
	self, err := os.Executable()
	if err != nil {
		return "k8s"
	}
	return filepath.Join(filepath.Dir(self), "k8s")
}

// complete checks the options and makes paths absolute: the programs run in the data folder.
func (o *options) complete() error {
	if o.node && !o.controllers {
		return errors.New("--node needs --controllers: without them no Job gets pods")
	}
	if o.auditLevel != "Metadata" && o.auditLevel != "RequestResponse" {
		return fmt.Errorf("--audit-level: %q is neither Metadata nor RequestResponse", o.auditLevel)
	}
	paths := []*string{&o.assets, &o.apiServer, &o.auditLog}
	for i := range o.crds {
		paths = append(paths, &o.crds[i])
	}
	for _, path := range paths {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	if _, err := os.Stat(filepath.Join(o.assets, "etcd")); err != nil {
		return fmt.Errorf("no programs in %s: run `make control-plane`", o.assets)
	}
	return nil
}

func startCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster start", flag.ContinueOnError)
	o, dataDir := clusterFlags(flags)
	untilStdinCloses := flags.Bool("until-stdin-closes", false, "stop when standard input ends: give it a pipe, and the control plane ends with whoever holds the other end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	dir, remove, err := dataFolder(*dataDir)
	if err != nil {
		return err
	}
	defer remove()
	held, err := lock(dir)
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()

	if *untilStdinCloses {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	return serve(ctx, dir, *o)
}

// dataFolder returns the folder named, or a new temporary one, and what removes it afterwards: nothing in the first case. A folder
// that holds anything else than a control plane's data is refused, and left as it is.
func dataFolder(named string) (dir string, remove func(), err error) {
	if named != "" {
		if dir, err = filepath.Abs(named); err != nil {
			return "", nil, err
		}
		return dir, func() {}, claim(dir)
	}
	sweep(os.TempDir())
	if dir, err = os.MkdirTemp("", temporaryPrefix); err != nil {
		return "", nil, err
	}
	return dir, func() { _ = removeAll(dir) }, claim(dir)
}

// claim makes a folder a data folder.
func claim(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 && !claimed(dir) {
		return fmt.Errorf("%s holds other files: name a new or an empty folder", dir)
	}
	return os.WriteFile(filepath.Join(dir, markerName), []byte(marker), 0o600)
}

// claimed reports whether a folder is a data folder.
func claimed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, markerName))
	return err == nil
}

// sweep removes temporary data folders whose control plane was killed before it could. A young one is left alone: its
// owner may be about to lock it.
func sweep(temp string) {
	dirs, _ := filepath.Glob(filepath.Join(temp, temporaryPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, lockName))
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if pid, err := holder(dir); err == nil && pid == 0 {
			_ = os.RemoveAll(dir)
		}
	}
}

// serve runs a control plane in dir, which we hold locked, until the context ends or one of its programs does, which is an error.
func serve(ctx context.Context, dir string, o options) error {
	state := filepath.Join(dir, stateName)
	if err := os.Remove(state); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c, err := newCluster(dir, o)
	if err != nil {
		return err
	}
	defer c.stop()
	description, err := c.start(ctx)
	if ctx.Err() != nil {
		return nil // asked to stop while starting
	}
	if err != nil {
		return err
	}
	line, err := json.Marshal(description)
	if err != nil {
		return err
	}
	// Renamed into place: whoever reads the state finds all of it.
	if err := os.WriteFile(state+".new", append(line, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.Rename(state+".new", state); err != nil {
		return err
	}
	defer func() { _ = os.Remove(state) }()
	fmt.Println(string(line))
	select {
	case <-ctx.Done():
		return nil
	case p := <-c.ended:
		return p.failure()
	}
}
