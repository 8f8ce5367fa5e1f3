package cli

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/worker"

	"rollcall/activities"
	"rollcall/internal/engine"
	"rollcall/internal/kind/registry"
	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

// work serves the queues until the returned function is called, which lets
// the credentials in hand finish.
func (a *app) work(e *engine.Engine, store *ownmount.Store, kinds *registry.Registry, ledgerDir string, rotation, records bool) (stop func() error, err error) {
	if records {
		if err := refuseLedgerItself(ledgerDir); err != nil {
			return nil, err
		}
	}
	tuneMemory()
	// Otherwise the SDK hashes the whole program at every start.
	worker.SetBinaryChecksum("rollcall")
	var workers []worker.Worker
	recorder := &activities.Ledger{Store: store, Dir: ledgerDir}
	if rotation {
		w := worker.New(e.Client, wire.RotationQueue, workerOptions(rotation && records))
		workflows.Register(w)
		rotations := activities.NewRotation(store, kinds)
		rotations.Metrics, rotations.Kept = a.metrics, a.kept
		w.RegisterActivity(rotations)
		workers = append(workers, w)
	}
	if records {
		w := worker.New(e.Client, wire.LedgerQueue, workerOptions(rotation && records))
		w.RegisterActivity(recorder)
		workers = append(workers, w)
	}
	stop = func() error {
		for _, w := range workers {
			w.Stop()
		}
		return activities.Shut(recorder)
	}
	for _, w := range workers {
		if err := w.Start(); err != nil {
			_ = stop()
			return nil, fmt.Errorf("starting the worker: %w", err)
		}
	}
	return stop, nil
}

// refuseLedgerItself: the ledgers of other campaigns do not belong into one.
func refuseLedgerItself(dir string) error {
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return nil
	}
	return fmt.Errorf("%s is itself the ledger of campaign %s: name the folder that holds it (ledger.dir, --ledger-dir)", dir, r.Campaign())
}

// stopPatience is how long a worker that was told to stop may finish what it
// holds. An activity begins nothing new by then, and bounds each credential in
// hand.
const stopPatience = 3 * time.Minute

// workerOptions: alone says that this process does all the work there is.
func workerOptions(alone bool) worker.Options {
	return worker.Options{
		WorkerStopTimeout: stopPatience, DisableRegistrationAliasing: true,
		// Well below the heartbeat time-out of the activities, so that a busy
		// machine is not taken for a dead worker.
		DefaultHeartbeatThrottleInterval: time.Second, MaxHeartbeatThrottleInterval: time.Second,
		// Eager execution gives activities to the worker that has their
		// workflow. All batches of a wave are one workflow, and the other
		// workers would get nothing.
		DisableEagerActivities: !alone,
	}
}
