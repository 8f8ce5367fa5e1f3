package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault/ownmount"
)

// session is one command's connections.
type session struct {
	*app
	cfg    *config.Campaign
	store  *ownmount.Store
	kinds  *registry.Registry
	engine *engine.Engine

	locks map[string]int // after how many wrong logins accounts lock, by credential: see tellRefusing

	serve serving // while run works; without an address nothing is

	leavesPeople bool // follow ends when nothing but people's tasks is left
	forEver      bool // what is started goes on by itself, again and again

	tried  []string // ids of what this run has tried first; nil: the first wave
	behind bool     // the campaign may come to be held behind what is tried first

	held       sync.Map // folders of fetched ledgers that were held to all that is in them
	distrusted sync.Map // ledger workers, and what they gave, of which a person was warned
	ends       string   // what a person is asked besides: which campaign it takes over

	toldEnded bool // whoever was asked was told that the last campaign has ended
}

// openVault loads the campaign file and logs in to Vault. The caller closes.
func (a *app) openVault(ctx context.Context) (*session, error) {
	cfg, err := a.campaignFile()
	if err != nil {
		return nil, err
	}
	a.warnInsecure(cfg)
	store, err := ownmount.Open(ctx, ownmount.Settings{Mount: cfg.Vault.Mount, Transit: cfg.Vault.Transit})
	if err != nil {
		return nil, err
	}
	return &session{app: a, cfg: cfg, store: store, kinds: registry.New(store.Client)}, nil
}

func (a *app) warnInsecure(cfg *config.Campaign) {
	for _, name := range cfg.Authorities() {
		if cfg.Authority(name).ClearText() {
			a.say("WARNING: %s is marked insecure: passwords cross the network in clear text", cfg.Called(name))
		}
	}
}

// withVault runs do with the campaign file read and Vault open. Errors of
// either come as they are.
func (a *app) withVault(ctx context.Context, do func(*session) error) error {
	tuneMemory()
	s, err := a.openVault(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return do(s)
}

// withTemporal is withVault with Temporal besides. mayStart allows starting the
// local engine; without it the error is engine.ErrNotRunning if none is
// configured and none runs here, and instead in its place if that is given.
func (a *app) withTemporal(ctx context.Context, mayStart bool, instead error, do func(*session) error) error {
	return a.withVault(ctx, func(s *session) error {
		err := s.connect(ctx, mayStart)
		switch {
		case errors.Is(err, engine.ErrNotRunning) && errors.Is(instead, errNoCampaignHere):
			return fmt.Errorf("%w%s", instead, s.whoseElse(ctx))
		case errors.Is(err, engine.ErrNotRunning) && instead != nil:
			return instead
		case err != nil:
			return err
		}
		return do(s)
	})
}

// errNoCampaignHere: neither a cluster nor this machine could have one. What
// Vault knows of the last one follows it: see whoseElse.
var errNoCampaignHere = errors.New("no campaign is running on this machine (no Temporal is configured, TEMPORAL_ADDRESS, and no local engine runs)")

// connect reaches Temporal. mayStart allows starting the local engine.
func (s *session) connect(ctx context.Context, mayStart bool) error {
	e, err := s.app.connect(ctx, s.store, s.cfg.Device, mayStart)
	s.engine = e
	return err
}

func (a *app) connect(ctx context.Context, store *ownmount.Store, device string, mayStart bool) (*engine.Engine, error) {
	key, err := payloadKey(ctx, store)
	if err != nil {
		return nil, err
	}
	return engine.Connect(ctx, engine.Options{StateDir: a.stateDir, Device: device, PayloadKey: key, Logger: a.logger(), Metrics: a.metrics.Temporal(), MayStart: mayStart, Starting: a.starting})
}

// payloadKey reads the key that seals Temporal payloads, if one is asked for.
func payloadKey(ctx context.Context, store *ownmount.Store) (credential.Secret, error) {
	ref := os.Getenv("ROLLCALL_PAYLOAD_KEY")
	if ref == "" {
		return credential.Secret{}, nil
	}
	p, err := credential.ParsePath(ref)
	if err != nil {
		// Not its value: it may be the key itself.
		return credential.Secret{}, errors.New("ROLLCALL_PAYLOAD_KEY is no place in Vault: write mount/path#field, never the key itself")
	}
	live, err := store.ReadLive(ctx, p, 0)
	if err == nil && !live.Found {
		err = fmt.Errorf("ROLLCALL_PAYLOAD_KEY: Vault holds nothing at %s; put 32 random bytes in base64 there", p)
	}
	return live.Value, err
}

func (s *session) close() {
	if s.engine != nil {
		_ = s.engine.Stop()
	}
	_ = s.kinds.Close()
	_ = s.store.Close()
}
