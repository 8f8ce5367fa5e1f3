package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/device"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/wire"
)

// watchOf is the look-out for the device of a campaign; nil where it has no
// address to ask, or a person went on whatever it does.
func (r *Rotation) watchOf(ctx context.Context, campaign string) (*device.Watch, error) {
	if known, ok := r.watches.Load(campaign); ok {
		return known.(*device.Watch), nil
	}
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, err
	}
	var w *device.Watch
	if c := index.Containment; c.Watched() {
		w = device.NewWatch(c.Addresses, c.Ports, c.AskedAt)
	}
	first, _ := r.watches.LoadOrStore(campaign, w)
	return first.(*device.Watch), nil
}

// deviceHosts are the names and addresses of the device, and of others that
// were in foreign hands, as they were when the roll was listed.
func (r *Rotation) deviceHosts(ctx context.Context, campaign string) ([]string, error) {
	if known, ok := r.hosts.Load(campaign); ok {
		return known.([]string), nil
	}
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	hosts := index.Containment.Taken()
	r.hosts.Store(campaign, hosts)
	return hosts, nil
}

// deviceAnswers says why nothing more is set: the device is on the network
// again, and whoever is on it could read what is set.
func (r *Rotation) deviceAnswers(ctx context.Context, campaign string) *protocol.Stop {
	w, err := r.watchOf(ctx, campaign)
	switch {
	case err != nil:
		return vault.StopOf(err)
	case w == nil:
		return nil
	}
	heard, err := w.Look(ctx)
	_ = r.noteSeen(ctx, campaign, w) // AskDevice makes sure of it
	return answering(heard, err)
}

// noteSeen keeps in Vault that the device answered, where people have tasks:
// what lay in their hands by then is handed over by no later campaign.
func (r *Rotation) noteSeen(ctx context.Context, campaign string, w *device.Watch) error {
	if seen, _ := w.Seen(); len(seen) == 0 {
		return nil
	}
	if _, noted := r.cameBack.Load(campaign); noted {
		return nil
	}
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(index.Waves, func(w credential.WaveIndex) bool { return w.Tasks }) {
		if err := r.Store.NoteCameBack(ctx, campaign); err != nil {
			return err
		}
	}
	r.cameBack.Store(campaign, true)
	return nil
}

func answering(heard []string, err error) *protocol.Stop {
	switch {
	case len(heard) > 0:
		return &protocol.Stop{Reason: protocol.ReasonDeviceAnswers, Detail: "the device answers: " + strings.Join(heard, ", ") + "; this pass set nothing"}
	case err != nil:
		return &protocol.Stop{Reason: protocol.ReasonDeviceAnswers, Detail: fmt.Sprintf("whether the device answers is not known: %v; this pass set nothing", err)}
	}
	return nil
}

// WatchDevice asks the device while its campaign waits for people.
func (r *Rotation) WatchDevice(ctx context.Context, campaign string) (wire.DeviceAnswers, error) {
	ctx, still := beat(ctx)
	defer still()
	w, err := r.watchOf(ctx, campaign)
	if err != nil || w == nil {
		return wire.DeviceAnswers{}, classify(errVault, err)
	}
	_, err = w.Now(ctx)
	if err := r.noteSeen(ctx, campaign, w); err != nil {
		return wire.DeviceAnswers{}, classify(errVault, err)
	}
	if seen, at := w.Seen(); len(seen) > 0 {
		return wire.DeviceAnswers{Detail: fmt.Sprintf("at %s, while the campaign ran, the device answered: %s", at.UTC().Format(time.RFC3339), strings.Join(seen, ", "))}, nil
	}
	if err != nil {
		return wire.DeviceAnswers{}, classify(errInternal, fmt.Errorf("whether the device answers is not known: %w", err))
	}
	return wire.DeviceAnswers{}, nil
}

// AskDevice asks the device at the end of its campaign, and says what it
// answered then or while this worker had the campaign in hand.
func (r *Rotation) AskDevice(ctx context.Context, campaign string) (wire.DeviceAnswers, error) {
	ctx, still := beat(ctx)
	defer still()
	w, err := r.watchOf(ctx, campaign)
	if err != nil || w == nil {
		return wire.DeviceAnswers{}, classify(errVault, err)
	}
	var out wire.DeviceAnswers
	now, err := w.Now(ctx)
	if err := r.noteSeen(ctx, campaign, w); err != nil {
		return wire.DeviceAnswers{}, classify(errVault, err)
	}
	seen, at := w.Seen()
	switch stop := answering(now, err); {
	case len(now) == 0 && len(seen) > 0:
		out.Detail = fmt.Sprintf("at %s the device answered: %s; it is silent now", at.UTC().Format(time.RFC3339), strings.Join(seen, ", "))
	case len(now) > 0:
		out.Detail = "the device answers at the end of the campaign: " + strings.Join(now, ", ")
	case stop != nil:
		out.Detail = fmt.Sprintf("whether the device answers at the end of the campaign is not known: %v", err)
	}
	return out, nil
}
