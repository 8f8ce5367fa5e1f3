package config

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"rollcall/internal/credential"
)

// Watch is what `rollcall evidence watch` follows, and the ledger's worker with
// --watch. It is for the machine on which that runs, and travels to no worker.
type Watch struct {
	Line  int // of the campaign file
	Files []WatchedLog
	// Usual are networks from which credentials are used by right.
	Usual []string
	// Indicators are files of addresses of the intruder, by their whole paths.
	Indicators []string
	Zone       string   // of times that have none
	Quiet      Duration // without a line that is understood, before that is told; 0: as the command has it
	Again      Duration // before a finding that goes on is told again; 0: as the command has it
	// Listen is where lines are posted; nil where nobody may.
	Listen *Listen
}

// WatchedLog is one log that is followed, or that is posted.
type WatchedLog struct {
	Path      string // whole; empty of one that is posted
	Name      string // of one that is posted: /lines/NAME
	Authority string
	Server    string
	Format    string // empty: it is found by looking
}

// Listen is an HTTPS endpoint to which lines of logs are posted.
type Listen struct {
	Address     string // host:port
	Certificate string // PEM files, by their whole paths
	Key         string
	Token       credential.Path // where Vault holds what posters show
	Sources     []WatchedLog
}

// WatchReferences are the places in Vault that a watch reads, besides those of
// NotifyReferences.
func (c *Campaign) WatchReferences() (out []credential.Path) {
	if c.Watch != nil && c.Watch.Listen != nil {
		out = append(out, c.Watch.Listen.Token)
	}
	return out
}

// watch reads what is followed (docs/evidence.md).
func (l *loader) watch(top fields, c *Campaign) *Watch {
	if !top.has("watch") {
		return nil
	}
	f := l.mapping(top.vals["watch"], "watch", "files", "usual", "indicators", "zone", "quiet", "again", "listen")
	w := &Watch{Line: f.line, Usual: f.networks("usual"), Zone: f.str("zone"),
		Quiet: f.duration("quiet", 0, time.Minute, 30*24*time.Hour), Again: f.duration("again", 0, time.Second, 24*time.Hour)}
	if _, err := time.LoadLocation(w.Zone); w.Zone != "" && (err != nil || w.Zone == "Local") {
		f.problem("zone", "must be UTC or a name such as Europe/Berlin")
	}
	for _, name := range f.words("indicators") {
		w.Indicators = append(w.Indicators, l.besideFile(name))
	}
	for i, n := range f.list("files") {
		of := l.mapping(n, fmt.Sprintf("watch.files[%d]", i), "file", "authority", "server", "format")
		log := of.watched(c)
		if log.Path = of.required("file", "the log that is followed"); log.Path != "" {
			log.Path = l.besideFile(log.Path)
			w.Files = append(w.Files, log)
		}
	}
	if f.has("listen") {
		w.Listen = l.listen(f, c)
	}
	if len(w.Files) == 0 && !f.has("listen") {
		f.l.problem(f.line, "watch: names nothing: list files, or say listen")
	}
	return w
}

// besideFile is a path that is relative to the campaign file.
func (l *loader) besideFile(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.dir, path)
}

// watched reads what is said of any log. Whether there is such a format only
// the reader of logs knows.
func (f fields) watched(c *Campaign) WatchedLog {
	w := WatchedLog{Authority: f.str("authority"), Server: f.str("server"), Format: f.str("format")}
	known := append(c.Authorities(), credential.VaultAuthority)
	if w.Authority != "" && !slices.Contains(known, w.Authority) {
		f.problem("authority", "unknown: %s; one of %v", shown(w.Authority), known)
	}
	return w
}

func (l *loader) listen(top fields, c *Campaign) *Listen {
	f := l.mapping(top.vals["listen"], "watch.listen", "address", "certificate", "key", "token", "sources")
	out := &Listen{
		Address:     f.required("address", "where lines are posted, host:port or :port"),
		Certificate: f.required("certificate", "a PEM file with the certificate that posters hold it to, and those between it and their CA"),
		Key:         f.required("key", "the PEM file of its key, which nobody else may read"),
		Token:       f.notifySecret("token", "what posters show (Authorization: Bearer)", c),
	}
	if _, port, err := net.SplitHostPort(out.Address); out.Address != "" {
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
			f.problem("address", "must be host:port or :port, for example :8514")
		}
	}
	out.Certificate, out.Key = l.besideFile(out.Certificate), l.besideFile(out.Key)
	all := l.mapping(f.vals["sources"], "watch.listen.sources")
	for _, name := range slices.Sorted(maps.Keys(all.vals)) {
		if !nameForm.MatchString(name) {
			all.problem(name, nameRule)
			continue
		}
		source := l.mapping(all.vals[name], "watch.listen.sources."+name, "authority", "server", "format").watched(c)
		source.Name = name
		out.Sources = append(out.Sources, source)
	}
	if len(all.vals) == 0 {
		f.problem("sources", "missing: a mapping with a name for each log that is posted, to /lines/NAME")
	}
	return out
}
