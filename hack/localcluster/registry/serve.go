package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// serveCommand serves one registry on one or two ports until the context ends. Layers are kept in files, names in memory: what was
// pushed is gone with the process.
func serveCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("registry serve", flag.ContinueOnError)
	data := flags.String("data", "", "folder for the layers")
	plain := flags.String("http", defaultAddress, "address without TLS")
	secure := flags.String("https", "", "address with TLS (default: none)")
	cert := flags.String("cert", "", "certificate for --https, in PEM")
	key := flags.String("key", "", "its key, in PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *data == "" {
		return errors.New("serve needs --data")
	}
	logger := log.New(os.Stdout, "", log.LstdFlags)
	handler := registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(*data)),
		registry.WithReferrersSupport(true),
		registry.Logger(logger))

	ended := make(chan error, 2)
	var servers []*http.Server
	serve := func(address string, listen func(*http.Server) error) {
		server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second, ErrorLog: logger}
		servers = append(servers, server)
		go func() { ended <- listen(server) }()
	}
	serve(*plain, func(s *http.Server) error { return s.ListenAndServe() })
	if *secure != "" {
		serve(*secure, func(s *http.Server) error { return s.ListenAndServeTLS(*cert, *key) })
	}
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	for _, server := range servers {
		_ = server.Close()
	}
	return err
}
