package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/evidence/watch"
	"rollcall/internal/notify"
	receivers "rollcall/internal/notify/settings"
	"rollcall/internal/report"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// Types of lines of a watch in JSON. Stable.
const (
	lineFinding = "finding"
	lineTrouble = "trouble"
	lineMore    = "more"
)

// showWatched shows what a watch found: for people, or an object a line.
func (a *app) showWatched(asJSON bool, zone *time.Location) func(watch.Batch) error {
	width, tty := terminal(a.Out)
	if !tty {
		width = math.MaxInt // a line each, for grep
	}
	cut := false
	write := func(text []byte) error {
		if cut { // what was written of the last try is a line of its own
			text = append([]byte("\n"), text...)
		}
		n, err := a.Out.Write(text)
		cut = err != nil && (cut && n == 0 || n > 0 && text[n-1] != '\n')
		return err
	}
	return func(b watch.Batch) error {
		if asJSON {
			text, err := watchedLines(b)
			return cmp.Or(err, write(text))
		}
		var text bytes.Buffer
		p := &evidencePrinter{w: &text, width: width, zone: zone}
		for _, f := range b.Alerts {
			p.findings([]judge.Finding{f.Finding})
			if words := againWords(f); words != "" {
				p.line("    ", "%s", words[2:])
			}
		}
		for _, t := range b.Troubles {
			p.line(string(t.Code)+": ", "%s", troubleWords(t))
		}
		if b.More > 0 {
			p.line("", "more findings wait for their turn, since so many come at once: %d", b.More)
		}
		return cmp.Or(p.err, write(text.Bytes()))
	}
}

func watchedLines(b watch.Batch) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text) // which keeps what pages take for markup escaped
	for _, f := range b.Alerts {
		if err := e.Encode(struct {
			Type string `json:"type"`
			judge.Alert
		}{lineFinding, f}); err != nil {
			return nil, err
		}
	}
	for _, t := range b.Troubles {
		if err := e.Encode(struct {
			Type string `json:"type"`
			watch.Trouble
		}{lineTrouble, t}); err != nil {
			return nil, err
		}
	}
	if b.More == 0 {
		return text.Bytes(), nil
	}
	err := e.Encode(struct {
		Type string `json:"type"`
		More int    `json:"more"`
	}{lineMore, b.More})
	return text.Bytes(), err
}

// tellWatched has a watch tell whom the campaign file names. stop tries once
// more what could not be told.
func (a *app) tellWatched(cfg *config.Campaign, campaign string, o *watch.Options, secrets *lateSecrets) (stop func(), err error) {
	wants := 0
	for _, t := range cfg.Notify.Targets {
		if t.Wants(receivers.Finding) {
			wants++
		}
	}
	if wants == 0 {
		a.say("note: notify of the campaign file names nobody who wants the event finding: what is found is told here alone")
		return func() {}, nil
	}
	dir, err := filepath.Abs(o.Folder)
	if err != nil {
		return nil, err
	}
	hand, err := notify.Open(dir, campaign, cfg.Device, cfg.Told(), secrets, a.logger())
	if err != nil {
		return nil, err
	}
	o.Tell = func(b watch.Batch) {
		if found := foundInLogs(b); len(found) > 0 {
			hand.Evidence(b.ID, b.At, found, b.More)
		}
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), tellingPatience)
		defer cancel()
		left, err := hand.Stop(ctx)
		if left > 0 {
			a.say("note: notifications that could not be sent: %d, which are kept; the next watch with this state sends them", left)
		}
		if err != nil {
			a.say("note: %v", err)
		}
	}, nil
}

// foundInLogs are the findings of a batch as they are told, and what keeps
// others from being seen.
func foundInLogs(b watch.Batch) (out []notify.Found) {
	for _, f := range b.Alerts {
		is := notify.Found{ID: f.ID, Code: credential.FindingCode(f.Code), What: report.Clean(f.Words()), Evidence: &f.Finding}
		if f.Credential != "" {
			is.Credential = report.Clean(f.Account)
		}
		is.Detail = fmt.Sprintf("%s (rule %s), %s to %s", f.Grade, f.Rule, f.First.UTC().Format(time.RFC3339), f.Last.UTC().Format(time.RFC3339))
		if len(f.Seen) > 0 {
			is.Detail += fmt.Sprintf(", %s line %d", f.Seen[0].File, f.Seen[0].Line)
		}
		is.Detail += againWords(f)
		out = append(out, is)
	}
	for _, t := range b.Troubles {
		out = append(out, notify.Found{ID: t.ID, Code: credential.FindingCode(t.Code), What: troubleWords(t)})
	}
	return out
}

func (a *app) lateSecrets(cfg *config.Campaign) *lateSecrets {
	return &lateSecrets{settings: ownmount.Settings{Mount: cfg.Vault.Mount, Transit: cfg.Vault.Transit}}
}

// token reads what those show who post lines, as it lies in Vault: what an
// account's place holds may be quoted or coded, and this is no such place. That
// Vault has no token is told from a Vault that does not answer.
func (s *lateSecrets) token(at credential.Path) func(ctx context.Context) (credential.Secret, error) {
	return func(ctx context.Context) (is credential.Secret, err error) {
		err = s.with(ctx, func(store *ownmount.Store) error {
			e, err := store.Client.Get(ctx, "read the token of those who post lines", at.Mount, at.Path, 0)
			if err != nil {
				return err
			}
			text, _ := e.Data[at.Field].(string)
			is = credential.NewSecret(text)
			return nil
		})
		if err == nil && is.IsZero() {
			err = &posted.NoToken{Why: fmt.Sprintf("Vault holds nothing at %s", at)}
		}
		return is, err
	}
}

// lateSecrets logs in to Vault when a secret is needed, and anew when that
// failed: a watch needs Vault for nothing else.
type lateSecrets struct {
	settings ownmount.Settings
	mu       sync.Mutex
	store    *ownmount.Store
}

// ReadLive reads one.
func (s *lateSecrets) ReadLive(ctx context.Context, p credential.Path, version int) (live vault.Live, err error) {
	err = s.with(ctx, func(store *ownmount.Store) (err error) {
		live, err = store.ReadLive(ctx, p, version)
		return err
	})
	return live, err
}

func (s *lateSecrets) with(ctx context.Context, do func(*ownmount.Store) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		if s.store, err = ownmount.Open(ctx, s.settings); err != nil {
			return err
		}
	}
	if err = do(s.store); err != nil {
		s.closeIt()
	}
	return err
}

func (s *lateSecrets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeIt()
}

func (s *lateSecrets) closeIt() {
	if s.store != nil {
		_ = s.store.Close()
		s.store = nil
	}
}
