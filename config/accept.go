package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// Accept is what a person takes upon himself, by name and with a reason: a
// problem of one account, which is then rotated all the same, that a source
// finds nothing, that a part of a directory is not searched, that by what a
// cluster lets its roles in is not shown, that one server
// which the directory knows of is not asked, what a door may keep that is not
// asked there, or what somebody may have made or may read in Vault, by a place.
// Exactly one of Account, Source, Directory, Vault, Device, Host and Door is
// set; Problem goes with Account (and points-at-device with Device), Server
// with Directory, Finding with Directory and Door.
type Accept struct {
	Account   string             `json:"account,omitempty"` // as in Exclude
	Problem   credential.Problem `json:"problem,omitempty"`
	Source    string             `json:"source,omitempty"` // its name
	Directory string             `json:"directory,omitempty"`
	Server    string             `json:"server,omitempty"` // as the warning more-servers names it
	// Finding is the warning of a Directory that is accepted; empty: a part of
	// it is not searched.
	Finding credential.FindingCode `json:"finding,omitempty"`
	Vault   string                 `json:"vault,omitempty"`  // a place, as the warning names it
	Device  string                 `json:"device,omitempty"` // another one, of which something is open, or that was in foreign hands too (Problem)
	Host    string                 `json:"host,omitempty"`   // to which secrets lead by right (Problem)
	Door    string                 `json:"door,omitempty"`   // as the file calls it (Finding)
	// On is when somebody looked at that place in Vault, or that server: the
	// word is for what was there before.
	On time.Time `json:"on,omitzero"`
	// Until is when what is said of a Door ends: who restarts it does so for
	// the campaign that he knows of, and a later one warns anew. Line is where
	// that stands in the file.
	Until  time.Time `json:"until,omitzero"`
	Line   int       `json:"line,omitempty"`
	Reason string    `json:"reason"`
}

// longestWord is how far ahead Until may lie.
const longestWord = 7 * 24 * time.Hour

// Outdated says what a accepts, and why that does not answer what a login may
// have made at a place in Vault, who reads or what lies there, or what became
// of a server, or is empty. A word without its time, or from a time at which
// the device was in foreign hands, says nothing of what came after it.
func (c *Campaign) Outdated(a Accept) string {
	until := c.inForeignHandsUntil()
	switch {
	case a.On.IsZero():
		return "the place and says not when somebody looked there: on: 2026-11-28T21:40:00Z, the time of the look"
	case a.On.Before(until):
		return fmt.Sprintf("what was there on %s, and the device was in foreign hands until %s: look again, and say when", a.On.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	}
	return ""
}

// inForeignHandsUntil is the end of the last exposure, or since
// when the device is contained where one has no end. Zero: the file says
// neither.
func (c *Campaign) inForeignHandsUntil() (until time.Time) {
	contained := time.Time{}
	if c.Containment.Said() {
		contained = c.Containment.At
	}
	if len(c.Exposure) == 0 {
		return contained
	}
	for _, i := range c.Exposure {
		end := i.To
		if i.To.IsZero() {
			end = contained
		}
		for _, t := range []time.Time{end, i.From} {
			if t.After(until) {
				until = t
			}
		}
	}
	return until
}

// hiddenFindings are the warnings that something of an authority is not shown,
// or not looked at.
// The first ones are of directories alone, and the first is meant where an
// accept names none.
var hiddenFindings = append(slices.Clone(ofDirectories), string(credential.FindingRulesHidden), string(credential.FindingKeptHidden), string(credential.FindingSameName), string(credential.FindingSameIDs))

var ofDirectories = []string{string(credential.FindingNotSearched), string(credential.FindingReplicatorsHidden), string(credential.FindingStoredAsSent), string(credential.FindingStorageHidden), string(credential.FindingCopiesHidden), string(credential.FindingResetsHidden), string(credential.FindingReadsOthers)}

// Accepts reports whether a is what a person said to that warning of an
// authority. A directory without the name of a warning is one of which a part
// is not searched: that is what there was to accept when such files were
// written, and who looked at that has looked at nothing that came later.
func (a Accept) Accepts(authority string, code credential.FindingCode) bool {
	return a.Directory == authority && a.Server == "" && cmp.Or(a.Finding, credential.FindingNotSearched) == code
}

// AcceptsHostsOf reports whether a says that what points at another device may
// have new values: another machine is at its addresses by now.
func (a Accept) AcceptsHostsOf(device string) bool {
	return a.Device != "" && a.Problem == credential.PointsAtDevice && SameDevice(a.Device, device)
}

// acceptable are the problems that an account may be rotated with.
var acceptable = []string{string(credential.SecondCopy), string(credential.CopyBeside), string(credential.PointsAtDevice), string(credential.LeadsElsewhere), string(credential.HasKeytab), string(credential.VaultsBind), string(credential.KeptByVault), string(credential.SharedRole), string(credential.MD5Stored), string(credential.ServerRole), string(credential.Replicates), string(credential.NotAsked), string(credential.KeptElsewhere), string(credential.ForcedChange), string(credential.PasswordHidden), string(credential.Restricted), string(credential.PerhapsIts), string(credential.OnlyInLogs)}

func (l *loader) accept(top fields, c *Campaign) []Accept {
	var out []Accept
	for i, n := range top.list("accept") {
		f := l.mapping(n, fmt.Sprintf("accept[%d]", i), "account", "problem", "source", "directory", "server", "finding", "vault", "device", "host", "door", "on", "until", "reason")
		if n.Kind != yaml.MappingNode {
			continue
		}
		a := Accept{Account: f.str("account"), Source: f.str("source"), Directory: f.str("directory"), Server: f.str("server"), Vault: f.str("vault"), Device: f.str("device"), Host: f.str("host"), Door: f.str("door"), Reason: f.required("reason", "say who looked at it, and why it may go on")}
		named := 0
		for _, key := range []string{"account", "source", "directory", "vault", "device", "host", "door"} {
			if f.has(key) {
				named++
			}
		}
		switch {
		case named != 1:
			l.problem(n.Line, "%s: needs one of account (with problem), source (which may find nothing), directory (of which a part is not searched, or by what it lets accounts in is not shown; with server, one server is not asked), vault (a place that a warning names), device (of which something is open), host (to which secrets lead by right) and door (which may keep what is not asked)", f.where)
		case f.has("vault") && a.Vault == "":
			f.problem("vault", "must name a place in Vault, as the warning does")
		case f.has("device") && (!nameForm.MatchString(a.Device) || c.IsDevice(a.Device)):
			f.problem("device", "must name another device than the campaign's, as the warning does")
		case f.has("account"):
			if a.Account == "" {
				f.problem("account", "must name an account: DN, immutable id, uid or sAMAccountName")
			}
			if !f.has("problem") {
				f.problem("problem", "missing: one of %s", strings.Join(acceptable, ", "))
			}
			a.Problem = credential.Problem(f.oneOf("problem", "", acceptable))
		case f.has("host"):
			if a.Host == "" || strings.ContainsAny(a.Host, "/@ ") {
				f.problem("host", "must be the name or address of a machine, without scheme and port")
			}
			if !f.has("problem") {
				f.problem("problem", "missing: %s", credential.LeadsElsewhere)
			}
			a.Problem = credential.Problem(f.oneOf("problem", "", []string{string(credential.LeadsElsewhere)}))
		case f.has("device") && f.has("problem"):
			a.Problem = credential.Problem(f.oneOf("problem", "", []string{string(credential.PointsAtDevice)}))
		case f.has("problem"):
			f.problem("problem", "goes with account; what is accepted of a source is that it finds nothing, and of a directory that a part is not searched")
		case f.has("server") && (!f.has("directory") || a.Server == ""):
			f.problem("server", "goes with directory, and is a server that it knows of, as the warning names it")
		case f.has("door"):
			if _, is := c.Doors[a.Door]; !is {
				f.problem("door", "no door is called %s", shown(a.Door))
			}
			if !f.has("finding") {
				f.problem("finding", "missing: %s", credential.FindingOtherSpellings)
			}
			a.Finding = credential.FindingCode(f.oneOf("finding", "", []string{string(credential.FindingOtherSpellings)}))
			a.Until, a.Line = f.wordUntil(), n.Line
		case f.has("finding") && (!f.has("directory") || f.has("server")):
			f.problem("finding", "goes with directory, without server: it is a warning that something of it is not shown, or not searched")
		case f.has("on") && !f.has("vault") && !f.has("server"):
			f.problem("on", "goes with vault or server: it is when somebody looked at that place")
		case f.has("source") && !c.hasSource(a.Source):
			f.problem("source", "no source is called %s", shown(a.Source))
		case f.has("directory"):
			a.Finding = credential.FindingCode(f.oneOf("finding", "", hiddenFindings))
			_, directory := c.Directories[a.Directory]
			switch {
			case directory:
			case c.Authority(a.Directory) != nil:
				if !f.has("finding") && !f.has("server") {
					f.problem("directory", "says not what is accepted of %s: give finding as well, one of %s", c.Called(a.Directory), strings.Join(hiddenFindings[len(ofDirectories):], ", "))
				}
			default:
				f.unknownDirectory(c, a.Directory, slices.Collect(maps.Keys(c.Systems))...)
			}
		}
		if f.has("until") && !f.has("door") {
			f.problem("until", "goes with door: it is until when that word counts")
		}
		a.On = f.past("on")
		out = append(out, a)
	}
	return out
}

// wordUntil is when a person's word of a door ends. One that has ended is no
// mistake of the file, for a campaign that it was for may still run: the next
// listing tells it.
func (f fields) wordUntil() time.Time {
	if !f.has("until") {
		f.problem("until", "missing: until when that counts, a week ahead at most, for example 2026-12-01T06:00:00Z; a later campaign sets other values, and warns anew")
		return time.Time{}
	}
	t := f.instant("until")
	if t.After(time.Now().Add(longestWord)) {
		f.problem("until", "lies more than a week ahead: that word is for what is set now, and a later campaign warns anew")
	}
	return t
}

// past is a time, or the beginning of a day, that has been.
func (f fields) past(key string) time.Time {
	t := f.instant(key)
	if t.After(time.Now()) {
		f.problem(key, "lies in the future: write when that was")
	}
	return t
}

// instant is a time, or the beginning of a day; zero if there is none.
func (f fields) instant(key string) time.Time {
	s := f.str(key)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	if err != nil {
		f.problem(key, "not a time: write it like 2026-11-28T21:40:00Z, or 2026-11-29 for the beginning of that day (UTC)")
	}
	return t.UTC()
}
