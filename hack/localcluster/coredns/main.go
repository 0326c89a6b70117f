// Command coredns is CoreDNS with the plugins that a cluster's DNS needs, and without those for clouds and databases.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// In the order in which a request passes them.
	dnsserver.Directives = []string{"ready", "health", "errors", "kubernetes", "template"}
	coremain.Run()
}
