// Command install installs OLM into a running node: it makes the images that OLM consists of from programs, pushes them into the
// node's registry, applies the manifests of OLM's own chart, and returns when all of it is available. It makes the images, too,
// that operator-sdk takes from the internet for its scorecard and for `run bundle`.
//
//	install --programs DIR --chart DIR --version VERSION --opm-version VERSION --sdk-version VERSION
//
// It runs in the network of the node, with kubectl and registry on the PATH: localcluster node-exec -- install ...
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

// namespace is where OLM runs, as everywhere.
const namespace = "olm"

// installation says what is installed.
type installation struct {
	// programs is the folder with the programs of the images.
	programs string
	// chart is the folder of OLM's chart.
	chart string
	// version, opmVersion and sdkVersion are those of OLM, operator-registry and operator-sdk, such as v0.46.0.
	version, opmVersion, sdkVersion string
}

func main() {
	i := installation{}
	flag.StringVar(&i.programs, "programs", filepath.Join("bin", "olm"), "folder with the programs of OLM's images")
	flag.StringVar(&i.chart, "chart", "", "folder of OLM's chart")
	flag.StringVar(&i.version, "version", "", "version of OLM, such as v0.46.0")
	flag.StringVar(&i.opmVersion, "opm-version", "", "version of opm, such as v1.73.0")
	flag.StringVar(&i.sdkVersion, "sdk-version", "", "version of operator-sdk, such as v1.42.2")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	err := i.run(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}

func (i installation) run(ctx context.Context) error {
	if i.chart == "" || i.version == "" || i.opmVersion == "" || i.sdkVersion == "" {
		return errors.New("--chart, --version, --opm-version and --sdk-version are needed")
	}
	began := time.Now()
	if err := i.makeImages(ctx); err != nil {
		return err
	}
	if err := kubectl(ctx, nil, "apply", "--server-side", "--filename="+filepath.Join(i.chart, "crds")); err != nil {
		return err
	}
	if err := kubectl(ctx, nil, "wait", "--for=condition=Established", "--timeout=60s", "--filename="+filepath.Join(i.chart, "crds")); err != nil {
		return err
	}
	var manifests bytes.Buffer
	if err := render(&manifests, filepath.Join(i.chart, "templates"), values(i)); err != nil {
		return err
	}
	if err := kubectl(ctx, &manifests, "apply", "--server-side", "--filename=-"); err != nil {
		return err
	}
	for _, what := range [][]string{
		{"rollout", "status", "deployment/olm-operator", "deployment/catalog-operator", "--timeout=180s"},
		{"wait", "clusterserviceversion/packageserver", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s"},
		{"rollout", "status", "deployment/packageserver", "--timeout=60s"},
	} {
		if err := kubectl(ctx, nil, append(what, "--namespace="+namespace)...); err != nil {
			return err
		}
	}
	fmt.Printf("OLM %s is ready after %.1f s.\n", i.version, time.Since(began).Seconds())
	return nil
}

// kubectl runs it; what it prints shows only if it fails.
func kubectl(ctx context.Context, input io.Reader, args ...string) error {
	return execute(ctx, input, "kubectl", args...)
}

func execute(ctx context.Context, input io.Reader, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = input
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", program, args, err, output)
	}
	return nil
}
