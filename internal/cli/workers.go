package cli

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"rollcall/activities"
	"rollcall/internal/engine"
	"rollcall/internal/kind/registry"
	"rollcall/internal/ledger"
	"rollcall/internal/notify"
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
	recorder := &activities.Ledger{Store: store, Dir: ledgerDir, Log: a.logger()}
	teller := &notify.Notifier{Dir: ledgerDir, Secrets: store, Log: a.logger(), Count: a.metrics.Told}
	if rotation {
		w := worker.New(e.Client, wire.RotationQueue, workerOptions(rotation && records))
		workflows.Register(w)
		rotations := activities.NewRotation(store, kinds)
		rotations.Metrics, rotations.Kept, rotations.Log = a.metrics, a.kept, a.logger()
		w.RegisterActivity(rotations)
		workers = append(workers, w)
	}
	if records {
		w := worker.New(e.Client, wire.LedgerQueue, workerOptions(rotation && records))
		activities.Notify(recorder, teller)
		teller.Start()
		w.RegisterActivity(recorder)
		workers = append(workers, w)
	}
	stop = func() error {
		for _, w := range workers {
			w.Stop()
		}
		if records {
			a.stopTelling(teller)
		}
		return activities.Shut(recorder)
	}
	for _, w := range workers {
		if err := w.Start(); err != nil {
			_ = stop()
			return nil, fmt.Errorf("starting the worker: %w", err)
		}
	}
	a.watchHealth(e, store, recorder)
	return stop, nil
}

// watchHealth has /healthz say whether this process is of any use.
func (a *app) watchHealth(e *engine.Engine, store *ownmount.Store, recorder *activities.Ledger) {
	a.metrics.Check("vault", func(context.Context) error {
		if stop := store.EndsSoon(0); stop != nil {
			return stop
		}
		return nil
	})
	a.metrics.Check("temporal", func(ctx context.Context) error {
		_, err := e.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	})
	a.metrics.Check("ledger", func(context.Context) error { return activities.LedgerTrouble(recorder) })
	a.metrics.Ready()
}

// tellingPatience is how long a process that stops tries to tell what is still
// to be told.
const tellingPatience = 15 * time.Second

func (a *app) stopTelling(n *notify.Notifier) {
	ctx, cancel := context.WithTimeout(context.Background(), tellingPatience)
	defer cancel()
	if left := n.Stop(ctx); left > 0 {
		a.say("note: notifications that could not be sent: %d, which are kept; the next run or ledger worker of this ledger folder sends them", left)
	}
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
		// A machine that is busy, or slept for a moment, is no workflow that
		// hangs. By default a second is one, and its task fails.
		DeadlockDetectionTimeout: 10 * time.Second,
	}
}
