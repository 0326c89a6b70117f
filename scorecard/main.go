// Command scorecard proves the installed operator in a cluster, as tests of `operator-sdk scorecard`: its argument
// names one test, and it prints a TestStatus that tells what the test saw.
//
// It works in the namespace that it is told (SCORECARD_NAMESPACE), under its service account's rights, reads the
// bundle that is tested at /bundle, and removes what it made.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// timeLimit is how long a test may take in all. operator-sdk waits two minutes where it is told so; what is not said by
// then is never heard.
const timeLimit = 100 * time.Second

// test is one of the suite.
type test struct {
	// claim is what it proves; where it fails, that is what has not been seen.
	claim string
	run   func(context.Context, *trial) error
}

// tests are those of the suite kube-changejob, by name.
var tests = map[string]test{
	"change-triggers-one-job":   {"a change triggers one Job", changeTriggersOneJob},
	"all-waits-for-all":         {"All waits for every reference", allWaitsForAll},
	"cooldown-loses-nothing":    {"a change in the cooldown triggers when that ends", cooldownLosesNothing},
	"history-is-kept":           {"the newest Jobs are kept, and no others", historyIsKept},
	"webhook-refuses":           {"the mistakes that the user guide lists are refused", webhookRefuses},
	"status-is-as-documented":   {"status says what the documentation says", statusIsAsDocumented},
	"columns-are-as-documented": {"kubectl get shows the columns of the bundle", columnsAreAsDocumented},
	"selector-names-changes":    {"a selector names what has changed", selectorNamesChanges},
	"run-now-runs-one-job":      {"run-now runs one Job", runNowRunsOneJob},
}

func main() {
	quiet()
	ctx, cancel := context.WithTimeout(ctrl.SetupSignalHandler(), timeLimit)
	err := run(ctx, os.Args[1:], os.Getenv("SCORECARD_NAMESPACE"), "/bundle", os.Stdout)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scorecard:", err)
		os.Exit(1)
	}
}

// quiet keeps libraries from logging: operator-sdk takes all that the Pod says for the result, and a line of client-go's about a
// request that was cut off would make it unreadable.
func quiet() {
	klog.SetLogger(logr.Discard())
	ctrl.SetLogger(logr.Discard())
}

// run runs the named test and prints its result. A test that fails is no error: the result says so.
func run(ctx context.Context, args []string, namespace, bundle string, out io.Writer) error {
	if len(args) != 1 || tests[args[0]].run == nil {
		return fmt.Errorf("give the name of one test: %s", strings.Join(slices.Sorted(maps.Keys(tests)), ", "))
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	status := v1alpha3.TestStatus{Results: []v1alpha3.TestResult{perform(ctx, config, args[0], namespace, bundle)}}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(status)
}

// perform runs a test and says how it ended.
func perform(ctx context.Context, config *rest.Config, name, namespace, bundle string) v1alpha3.TestResult {
	result := v1alpha3.TestResult{Name: name, State: v1alpha3.PassState}
	t, err := newTrial(config, name, namespace, bundle)
	if err == nil {
		if err = tests[name].run(ctx, t); err != nil {
			err = fmt.Errorf("not seen that %s: %w", tests[name].claim, err)
		}
		t.cleanUp(context.WithoutCancel(ctx))
		result.Log = strings.Join(t.seen, "\n")
	}
	if err != nil {
		result.State, result.Errors = v1alpha3.FailState, []string{err.Error()}
	}
	return result
}
