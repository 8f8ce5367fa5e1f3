package main

import (
	uiserver "github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves Temporal's web UI in the background and returns how to stop
// it. If it cannot serve, it ends the process (the UI's server does that
// itself).
func startUI(at, frontend endpoint) (stop func()) {
	ui := uiserver.NewServer(server_options.WithConfigProvider(&config.Config{
		TemporalGRPCAddress: frontend.String(),
		Host:                at.ip,
		Port:                at.port,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		HideLogs:            true,
		DisableNewsFetch:    true, // nothing here may call out
		// Who paused or aborted a campaign belongs into the ledger, and only
		// the command line writes it there.
		DisableWriteActions: true,
		CORS:                config.CORS{CookieInsecure: true}, // loopback is plain HTTP
	}))
	go func() { _ = ui.Start() }()
	return ui.Stop
}
