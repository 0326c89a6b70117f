package main

import (
	"context"

	"github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
	"github.com/spf13/pflag"
)

// webhookProgram checks what is asked of cert-manager, and has cert-manager's own flags.
func webhookProgram(flags *pflag.FlagSet) (func(ctx context.Context) error, error) {
	configuration, err := options.NewWebhookConfiguration()
	if err != nil {
		return nil, err
	}
	options.AddConfigFlags(flags, configuration)
	return func(ctx context.Context) error {
		server, err := webhook.NewCertManagerWebhookServer(logs.FromContext(ctx), *configuration)
		if err != nil {
			return err
		}
		return server.Run(ctx)
	}, nil
}
