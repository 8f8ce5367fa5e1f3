package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/posted"
	"rollcall/internal/evidence/watch"
	"rollcall/internal/plural"
)

// watchFlags are what a person says of a watch, beside what evidence takes.
type watchFlags struct {
	evidenceFlags
	state     string
	fromStart bool
	unwritten bool
	again     time.Duration

	saidQuiet, saidAgain bool
}

func (a *app) evidenceWatchCommand() *cobra.Command {
	var f watchFlags
	c := &cobra.Command{
		Use:   "watch [[AUTHORITY[/SERVER]=|SERVER=]FILE|- ...]",
		Short: "Follow logs for weeks: dead values tried again, the device, indicators, bursts",
		Long: `watch follows logs that grow (- is standard input), and tells within seconds when a login of a dead
credential's account is refused from an address that --usual does not have, when the device logs in, when
an indicator's address does, or when logins fail in bursts. It cannot see values: it says what it saw. It
tells here (-o json: an object a line) and by notify of the campaign file, to whom wants the event finding.
Without FILE it follows what watch of the campaign file names: files, and logs that others post by HTTPS
(listen), with a token from Vault. Flags take the place of what that section says.

The roll and the times of death come from the campaign's ledger, which is read again while the campaign
goes on. Nothing is changed anywhere. Files are followed across rotation and may not be there yet; what
is packed is not read. Reading begins at the end of each file, and after a restart where it ended.
Findings that go on are told again after --again, then twice that, up to a day. A log without lines for
--quiet is told too: silence is not "nothing happened". Docs: docs/evidence.md.

Exit codes: 0 ended by Ctrl-C or SIGTERM, or standard input did and nothing was found · 1 an error ·
2 standard input ended, and something was found.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.saidQuiet, f.saidAgain = cmd.Flags().Changed("quiet"), cmd.Flags().Changed("again")
			return a.evidenceWatch(cmd.Context(), f, args)
		},
	}
	f.out.flag(c)
	fl := c.Flags()
	fl.StringVar(&f.format, "format", "", "format of all files, instead of finding it by looking")
	fl.StringArrayVar(&f.windows, "window", nil, "FROM..TO in which the device was in foreign hands; instead of the campaign file's exposure")
	fl.StringArrayVar(&f.device, "device", nil, "address, network or name of the device; instead of the campaign file's addresses, beside its names")
	fl.StringArrayVar(&f.usual, "usual", nil, "address or network from which credentials are used by right: consumers, Vault, Rollcall's workers")
	fl.StringArrayVar(&f.indicators, "indicators", nil, "file of what is the intruder's (addresses, networks, domains): one a line, CSV, or a bundle of STIX 2.1")
	fl.StringVar(&f.zone, "zone", "", "zone of times that have none, such as Europe/Berlin")
	fl.DurationVar(&f.quiet, "quiet", evidence.DefaultQuiet, "how long a log may have no line before that is told")
	fl.StringVar(&f.campaign, "campaign", "latest", "the campaign whose ledger has the roll and the times of death")
	fl.BoolVar(&f.here, "device-is-here", false, "an address of this machine is really the device's")
	fl.StringVar(&f.state, "state", "", "folder in which is kept how far each file was read and what was told; one below --state-dir by default")
	fl.BoolVar(&f.fromStart, "from-start", false, "read files that no watch read before from their beginning")
	fl.BoolVar(&f.unwritten, "no-record", false, "write nothing into the ledger of the device's evidence")
	fl.DurationVar(&f.again, "again", watch.DefaultAgain, "after how long a finding that goes on is told again")
	a.timeZoneFlag(c)
	return c
}

func (a *app) evidenceWatch(ctx context.Context, f watchFlags, args []string) error {
	asJSON, err := f.out.json()
	if err != nil {
		return err
	}
	zone, err := a.zone()
	if err != nil {
		return err
	}
	if f.again < time.Second {
		return fmt.Errorf("--again %s: a second at least", f.again)
	}
	cfg, err := a.watchedFile()
	if err != nil {
		return err
	}
	secrets := a.lateSecrets(cfg)
	defer secrets.close()
	o, err := a.watchOptions(cfg, f, args, secrets)
	if err != nil {
		return err
	}
	roll := &liveRoll{app: a, cfg: cfg, domains: o.Evidence.Domains}
	if err := roll.open(ctx, f.campaign); err != nil {
		return err
	}
	o.Roll, o.Campaign = roll.read, roll.campaign
	o.Show = a.showWatched(asJSON, zone)
	switch {
	case f.unwritten:
	case roll.elsewhere:
		a.say("note: nothing is written into a ledger: those of this device are on another machine. Watch there, or post lines to a watch there (docs/evidence.md)")
	default:
		kept := a.evidenceLedger(cfg, cfg.LedgerDir)
		defer kept.close()
		o.Record = kept.record
	}
	a.warns = true // of receivers that are not told
	stop, err := a.tellWatched(cfg, roll.campaign, &o, secrets)
	if err != nil {
		return err
	}
	defer stop()
	n := len(o.Files)
	if o.Posts != nil {
		n += len(o.Posts.Sources)
	}
	a.say("note: campaign %s, %s; the state is kept in %s; Ctrl-C or SIGTERM ends it", roll.campaign, plural.Count(n, "log", "logs"), o.Folder)
	found, err := watch.Run(ctx, o)
	if err == nil && ctx.Err() == nil && found > 0 {
		return &exit{code: exitExceptions}
	}
	return err
}

// watchOptions are what flags and campaign file say, but for the roll and who
// is told. Logs that are named as arguments take the place of the file's.
func (a *app) watchOptions(cfg *config.Campaign, f watchFlags, args []string, secrets *lateSecrets) (o watch.Options, err error) {
	if cfg.Watch == nil && len(args) == 0 {
		return o, fmt.Errorf("nothing to follow is named: name files, - for standard input, or write watch into %s (config/example.yaml)", a.file)
	}
	if cfg.Watch != nil {
		f.fill(cfg.Watch)
	}
	o = watch.Options{In: a.In, FromStart: f.fromStart, Folder: f.state, Quiet: f.quiet, Again: f.again, Say: a.say}
	if o.Folder == "" {
		o.Folder = filepath.Join(a.stateDir, "evidence-watch", cfg.Device)
	}
	if o.Evidence, err = a.evidenceOptions(cfg, f.evidenceFlags, args); err != nil {
		return o, err
	}
	o.Files = o.Evidence.Files
	if len(args) > 0 {
		return o, nil
	}
	for _, l := range cfg.Watch.Files {
		o.Files = append(o.Files, evidence.File{Path: l.Path, Authority: l.Authority, Server: l.Server, Format: l.Format})
	}
	if at := cfg.Watch.Listen; at != nil {
		o.Posts = &watch.Posts{Options: posted.Options{Address: at.Address, Cert: at.Certificate, Key: at.Key, Token: secrets.token(at.Token)}}
		for _, l := range at.Sources {
			o.Posts.Sources = append(o.Posts.Sources, evidence.File{Path: l.Name, Authority: l.Authority, Server: l.Server, Format: l.Format})
		}
	}
	return o, nil
}

// fill takes from the campaign file what no flag says.
func (f *watchFlags) fill(w *config.Watch) {
	if len(f.usual) == 0 {
		f.usual = w.Usual
	}
	if len(f.indicators) == 0 {
		f.indicators = w.Indicators
	}
	f.zone = cmp.Or(f.zone, w.Zone)
	if w.Quiet > 0 && !f.saidQuiet {
		f.quiet = time.Duration(w.Quiet)
	}
	if w.Again > 0 && !f.saidAgain {
		f.again = time.Duration(w.Again)
	}
}

// againWords say how often a finding was told before.
func againWords(a judge.Alert) string {
	if a.Again == 0 {
		return ""
	}
	return fmt.Sprintf("; it was told %s before, and came %s since", plural.Count(a.Again, "time", "times"), plural.Count(a.More, "time", "times"))
}

// troubleWords are a trouble for people.
func troubleWords(t watch.Trouble) string {
	if t.Over {
		return "again: " + t.Text
	}
	return strings.TrimSuffix(t.Text, ".")
}
