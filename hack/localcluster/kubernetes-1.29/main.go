// Command kubernetes-1.29 is the API server of the oldest Kubernetes that the operator supports, for tests.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"

	"github.com/nusnewob/kube-changejob/hack/localcluster/lifeline"
)

func main() {
	lifeline.Watch()
	os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
}
