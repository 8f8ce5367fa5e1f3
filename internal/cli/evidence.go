package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"rollcall/config"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
)

// evidenceFlags are what a person says beside the campaign file.
type evidenceFlags struct {
	out         output
	html        string // file
	format      string
	windows     []string
	device      []string
	usual       []string
	indicators  []string
	years       []string
	zone        string
	quiet       time.Duration
	campaign    string
	auditDevice string
	here        bool
}

func (a *app) evidenceCommand() *cobra.Command {
	var f evidenceFlags
	c := &cobra.Command{
		Use:   "evidence [AUTHORITY[/SERVER]=|SERVER=]FILE...",
		Short: "Read servers' logs: what was used from the device and elsewhere, what no log covers",
		Long: `evidence reads logs as they lie around (plain, gzip, xz, zstd), and holds them against the roll and
the time in which the device was in foreign hands. It changes nothing, and shows no line of a log: the
fields of what it found, with file and line. Formats and findings: docs/evidence.md.

The roll is listed afresh, or is that of --campaign, read from its ledger without Vault; then logins
behind a credential's proof are told too. Windows are the exposure of the campaign file and the device's
addresses those of its containment, unless --window and --device say otherwise.

A file is of the server that stands before it (ldap1=slapd.log), and that of the authority (corp/ldap1=
or corp=). Coverage is always shown: where there is no record, that does not say "not used".

Exit codes: 0 nothing found and no gap · 1 an error, nothing is shown · 2 something was found, a part of
a window has no log, or something was not understood.`,
		Args: someArguments,
		RunE: func(cmd *cobra.Command, args []string) error { return a.evidence(cmd.Context(), f, args) },
	}
	f.out.flag(c)
	fl := c.Flags()
	fl.StringVar(&f.html, "html", "", "write a picture of it, one self-contained HTML file, here")
	fl.StringVar(&f.format, "format", "", "format of all files, instead of finding it by looking")
	fl.StringArrayVar(&f.windows, "window", nil, "FROM..TO in which the device was in foreign hands, dates (the last included) or times; instead of the campaign file's exposure")
	fl.StringArrayVar(&f.device, "device", nil, "address, network or name of the device; instead of the campaign file's addresses, beside its names")
	fl.StringArrayVar(&f.usual, "usual", nil, "address or network from which credentials are used by right: consumers, Vault, Rollcall's workers")
	fl.StringArrayVar(&f.indicators, "indicators", nil, "file of what is the intruder's (addresses, networks, domains): one a line, CSV, or a bundle of STIX 2.1")
	fl.StringArrayVar(&f.years, "year", nil, "year of the first line of files whose times have none, or FILE=YEAR of one")
	fl.StringVar(&f.zone, "zone", "", "zone of times that have none, such as Europe/Berlin")
	fl.DurationVar(&f.quiet, "quiet", evidence.DefaultQuiet, "a stretch without lines that is longer is a gap")
	fl.StringVar(&f.campaign, "campaign", "", "take the roll of this campaign from its ledger; latest is the latest one")
	fl.StringVar(&f.auditDevice, "audit-device", "", "have Vault hash the values of the roll as this audit device does, and look for them")
	fl.BoolVar(&f.here, "device-is-here", false, "an address of this machine is really the device's")
	a.timeZoneFlag(c)
	c.AddCommand(a.evidenceWatchCommand(), a.evidenceRecordCommand())
	return c
}

func (a *app) evidence(ctx context.Context, f evidenceFlags, args []string) error {
	asJSON, err := f.out.json()
	if err != nil {
		return err
	}
	zone, err := a.zone()
	if err != nil {
		return err
	}
	a.makesEvidence = true
	cfg, err := a.campaignFile()
	if err != nil {
		return err
	}
	o, err := a.evidenceOptions(cfg, f, args)
	if err != nil {
		return err
	}
	if err := a.mayWritePicture(f, o.Files); err != nil {
		return err
	}
	if err := a.evidenceRoll(ctx, cfg, f, &o); err != nil {
		return err
	}
	o.Progress = a.evidenceProgress()
	result, err := evidence.Read(ctx, o)
	if o.Progress != nil {
		fmt.Fprint(a.Err, "\r\033[K")
	}
	if err != nil {
		return err
	}
	if f.html != "" {
		if err := a.writePicture(f, cfg, o, result, zone); err != nil {
			return err
		}
	}
	switch {
	case asJSON:
		err = printEvidenceJSON(a.Out, result)
	case f.html == "":
		width, tty := terminal(a.Out)
		if !tty {
			width = math.MaxInt // a line each, for grep
		}
		err = printEvidence(a.Out, result, width, zone)
		a.sayTakeUp(cfg, result)
	}
	if err == nil && (len(result.Findings) > 0 || result.Gaps()) {
		return &exit{code: exitExceptions}
	}
	return err
}

// evidenceOptions are all but the roll.
func (a *app) evidenceOptions(cfg *config.Campaign, f evidenceFlags, args []string) (o evidence.Options, err error) {
	o = evidence.Options{Format: f.format, Quiet: f.quiet, Drivers: map[string]string{}, Servers: map[string][]string{}, Domains: map[string]evidence.Domain{}, Years: map[string]int{}}
	if o.Mapped, err = a.mappedLogs(cfg); err != nil {
		return o, err
	}
	for name, d := range cfg.Directories {
		o.Drivers[name], o.Servers[name] = d.Driver, d.Servers
		if d.HasDomains() {
			o.Domains[name] = evidence.Domain{DNS: d.Domain()}
		}
	}
	if f.quiet < time.Minute {
		return o, fmt.Errorf("--quiet %s: a minute at least", f.quiet)
	}
	if f.zone != "" {
		if o.Zone, err = zoneCalled(f.zone); err != nil {
			return o, fmt.Errorf("--zone takes UTC, local or a name such as Europe/Berlin, not %q", f.zone)
		}
	}
	for _, y := range f.years {
		if err := addYear(&o, y); err != nil {
			return o, err
		}
	}
	for _, arg := range args {
		file, err := logOf(cfg, arg)
		if err != nil {
			return o, err
		}
		o.Files = append(o.Files, file)
	}
	o.Judge, err = a.knownBeside(cfg, f)
	return o, err
}

// mappedLogs are the formats of the operator's own.
func (a *app) mappedLogs(cfg *config.Campaign) ([]logs.Format, error) {
	var all []logs.Mapping
	for _, l := range cfg.Logs {
		if _, err := logs.Named(l.Name); err == nil {
			return nil, fmt.Errorf("%s:%d: logs.%s: a format that Rollcall reads by itself is called so; choose another name", a.file, l.Line, l.Name)
		}
		separator, _ := utf8.DecodeRuneInString(l.Separator)
		all = append(all, logs.Mapping{
			Name: l.Name, Type: l.Type, Separator: separator, Account: l.Account, Address: l.Address, Time: l.Time, Outcome: l.Outcome, Server: l.Server, Method: l.Method,
			Form: event.Form(l.Form), Layout: l.TimeFormat, Accepted: l.Accepted, Refused: l.Refused, Locked: l.Locked, Only: l.Only,
			Patterns: l.Patterns, Ignore: l.Ignore, Program: l.Program, ByDevice: l.WrittenByDevice,
		})
	}
	return logs.MappedFormats(all...), nil
}

func addYear(o *evidence.Options, said string) error {
	path, year := "", said
	if i := strings.LastIndex(said, "="); i >= 0 {
		path, year = said[:i], said[i+1:]
	}
	n, err := strconv.Atoi(year)
	if err != nil || n < 1970 || n > 2200 {
		return fmt.Errorf("--year %s: write a year, or FILE=YEAR", said)
	}
	if path == "" {
		o.Year = n
	} else {
		o.Years[path] = n
	}
	return nil
}

// logOf reads [AUTHORITY[/SERVER]=|SERVER=]FILE. A file of that whole name is
// itself.
func logOf(cfg *config.Campaign, arg string) (f evidence.File, err error) {
	before, path, ok := strings.Cut(arg, "=")
	if _, err := os.Stat(arg); !ok || err == nil {
		return evidence.File{Path: arg}, nil
	}
	authorities := append(cfg.Authorities(), "vault")
	authority, server, both := strings.Cut(before, "/")
	switch {
	case slices.Contains(authorities, authority):
	case both:
		return f, fmt.Errorf("%s: the campaign file has no authority %q; it has %s", arg, authority, strings.Join(authorities, ", "))
	default:
		authority, server = "", before
	}
	return evidence.File{Path: path, Authority: authority, Server: server}, nil
}

// knownBeside is what is known beside logs and roll.
func (a *app) knownBeside(cfg *config.Campaign, f evidenceFlags) (o judge.Options, err error) {
	o.Now, o.DeviceName = time.Now(), cfg.Device
	for _, w := range f.windows {
		parsed, err := judge.ParseWindow(w)
		if err != nil {
			return o, err
		}
		o.Windows = append(o.Windows, parsed)
	}
	if len(f.windows) == 0 {
		for _, i := range cfg.Exposure {
			o.Windows = append(o.Windows, judge.Window{From: i.From, To: i.To})
		}
	}
	if len(o.Windows) == 0 {
		return o, errors.New("nothing says when the device was in foreign hands: write exposure into the campaign file, or say --window FROM..TO")
	}
	slices.SortFunc(o.Windows, func(x, y judge.Window) int { return x.From.Compare(y.From) })
	o.DeviceNames = []string{cfg.Device}
	var device []string
	for _, name := range f.device {
		if addressLike(name) {
			device = append(device, name)
		} else {
			o.DeviceNames = append(o.DeviceNames, name)
		}
	}
	if cfg.Containment.Said() {
		o.Contained = cfg.Containment.At
	}
	if len(device) == 0 && cfg.Containment != nil {
		for _, name := range cfg.Containment.Addresses {
			if _, err := netip.ParseAddr(name); err == nil {
				device = append(device, name)
			} else {
				o.DeviceNames = append(o.DeviceNames, name)
				a.say("note: %s is a name of the device, and most logs hold addresses: those that it had are not looked for unless --device says them", name)
			}
		}
	}
	if len(device) == 0 {
		return o, errors.New("nothing says where the device was: write containment.addresses into the campaign file, or say --device ADDRESS")
	}
	if o.Device, err = networks("--device", device); err != nil {
		return o, err
	}
	if own := ownAddress(o.Device); own != "" && !f.here {
		return o, fmt.Errorf("%s is an address of this machine: is it the device's too? If it really is, say --device-is-here; nothing was read", own)
	}
	if o.Usual, err = networks("--usual", f.usual); err != nil {
		return o, err
	}
	o.Indicators = &judge.Indicators{}
	for _, name := range f.indicators {
		if err := readIndicators(o.Indicators, name); err != nil {
			return o, err
		}
	}
	return o, nil
}

// addressLike tells an address or a network from a name.
func addressLike(text string) bool {
	return strings.Trim(text, "0123456789./") == "" || strings.Contains(text, ":") || strings.Contains(text, "/")
}

func readIndicators(to *judge.Indicators, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	return to.Read(name, in)
}

func networks(flag string, all []string) (out []netip.Prefix, err error) {
	for _, s := range all {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			at, notAddress := netip.ParseAddr(s)
			if notAddress != nil {
				return nil, fmt.Errorf("%s %s is no address and no network", flag, s)
			}
			at = at.Unmap().WithZone("")
			p = netip.PrefixFrom(at, at.BitLen())
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%s %s has bits beyond its length; the network is %s", flag, s, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}

// ownAddress is one of this machine that is among the device's, loopback aside.
func ownAddress(of []netip.Prefix) string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() {
			continue
		}
		at := p.Addr().Unmap()
		if slices.ContainsFunc(of, func(d netip.Prefix) bool { return d.Contains(at) }) {
			return at.String()
		}
	}
	return ""
}

// evidenceProgress draws a line on a terminal; nil elsewhere.
func (a *app) evidenceProgress() func(read, of int64) {
	if _, tty := terminal(a.Err); !tty || a.plain() {
		return nil
	}
	var last time.Time
	return func(read, of int64) {
		if of > 0 && time.Since(last) > 200*time.Millisecond {
			last = time.Now()
			done := int(20 * read / of)
			fmt.Fprintf(a.Err, "\r[%s%s] %d%%", strings.Repeat("=", min(done, 20)), strings.Repeat(" ", max(0, 20-done)), 100*read/of)
		}
	}
}
