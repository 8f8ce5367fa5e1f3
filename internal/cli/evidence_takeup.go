package cli

import (
	"path/filepath"
	"slices"

	"rollcall/config"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
	"rollcall/internal/report"
)

// campaignFile reads the campaign file. For the command that makes what
// sources of type evidence read, such a file is no condition, and who only
// looks at what campaigns left needs none that it names. Nor does who asks a
// campaign for something, which goes by the file that it was begun with: where
// this one is whole, its names are in messages.
func (a *app) campaignFile() (*config.Campaign, error) {
	switch {
	case a.reads:
		return config.LoadForReading(a.file)
	case a.controls:
		if cfg, err := config.Load(a.file); err == nil {
			return cfg, nil
		}
		return config.LoadForReading(a.file)
	}
	if !a.makesEvidence {
		return config.Load(a.file)
	}
	cfg, leftOut, err := config.LoadForEvidence(a.file)
	for _, why := range leftOut {
		if !a.saidLeftOut {
			a.say("note: a source of type evidence is left out of the roll here: %s", report.Clean(why))
		}
	}
	a.saidLeftOut = a.saidLeftOut || len(leftOut) > 0
	return cfg, err
}

// watchedFile is the campaign file of a watch. Its roll is a ledger's, so what
// sources of type evidence read is no condition, and not told.
func (a *app) watchedFile() (*config.Campaign, error) {
	a.makesEvidence, a.saidLeftOut = true, true
	return a.campaignFile()
}

// sayTakeUp says how what the device used comes onto the roll.
func (a *app) sayTakeUp(cfg *config.Campaign, r *judge.Result) {
	parts := (&taken.File{Accounts: r.FromDevice}).Parts()
	n := 0
	for _, f := range parts.Accounts {
		if f.Credential == "" {
			n++
		}
	}
	for _, s := range cfg.Sources {
		if s.Type == config.FromEvidence || n == 0 {
			return // it is known how
		}
	}
	file := "evidence-" + cfg.Device + ".json"
	with := "with -o json"
	if !slices.EqualFunc(r.Windows, cfg.Windows(), func(x judge.Window, y taken.Span) bool { return x.From.Equal(y.From) && x.To.Equal(y.To) }) {
		with = "without --window, by the exposure of the campaign file, with -o json"
	}
	a.say("%s used from the device and not on the roll. To take %s up, run this once more %s > %s, and add to the campaign file:\n  %s\nEach stays open (only-in-logs) until a person says that it is the device's: a log is a hint and no proof",
		plural.Count(n, "account was", "accounts were"), plural.Pick(n, "it", "them"), with, paste.Shell(filepath.Join(filepath.Dir(a.file), file)), cfg.SourceOf(file, r.Evidence.Addresses))
}
