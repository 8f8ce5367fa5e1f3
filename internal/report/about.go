package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/ledger"
)

// directory is an authority and the servers on which its values were proved
// dead, the write server first.
type directory struct {
	Name    string
	Servers []directoryServer
}

type directoryServer struct {
	Name    string
	Writes  bool
	LeftOut bool
}

func directoriesOf(s *ledger.State) (out []directory) {
	for _, name := range slices.Sorted(maps.Keys(s.Servers)) {
		d := directory{Name: name}
		for i, server := range s.Servers[name] {
			left := slices.ContainsFunc(s.LeftOut, func(l ledger.LeftOutServer) bool { return l.Authority == name && l.Server == server })
			d.Servers = append(d.Servers, directoryServer{server, i == 0 && len(s.Servers[name]) > 1, left})
		}
		out = append(out, d)
	}
	return out
}

// Note says what is special about a server; empty for most.
func (d directoryServer) Note() string {
	switch {
	case d.LeftOut:
		return "left out"
	case d.Writes:
		return "writes"
	}
	return ""
}

// aboutText says with what the campaign was begun, and where values were proved
// dead.
func aboutText(b *strings.Builder, s *ledger.State, width int) {
	if started := startedLine(s); started != "" {
		if zone := zoneOf(s).String(); zone != "UTC" {
			started += "; times in " + zone
		}
		b.WriteString(Wrap(Clean(started), "  ", width))
	}
	if about := s.Incident.Words(); about != "" {
		b.WriteString(Wrap("incident "+Clean(about), "  ", width))
	}
	for _, d := range directoriesOf(s) {
		var names []string
		for _, server := range d.Servers {
			name := server.Name
			if note := server.Note(); note != "" {
				name += " (" + note + ")"
			}
			names = append(names, name)
		}
		b.WriteString(Wrap(Clean("servers of "+d.Name+": "+strings.Join(names, ", ")), "  ", width))
	}
	if s.Spec != nil && s.Spec.FileSHA256 != "" {
		b.WriteString(Wrap("campaign file: sha256 "+Clean(s.Spec.FileSHA256), "  ", width))
	}
}

// startedLine is when it began and ended.
func startedLine(s *ledger.State) string {
	line := ""
	if !s.StartedAt.IsZero() {
		line = "started " + clock(s.StartedAt)
		if s.Actor != "" {
			line += " by " + s.Actor
		}
	}
	if !s.ClosedAt.IsZero() {
		if line != "" {
			line += ", "
		}
		line += "closed " + clock(s.ClosedAt)
		if !s.StartedAt.IsZero() {
			line += " after " + span(s.ClosedAt.Sub(s.StartedAt))
		}
	}
	return line
}

// againLine says how many an earlier campaign had killed already: of those that
// are dead this one ended values that were set since, and of the others such a
// value is what is open.
func againLine(f figures) string {
	open := ""
	if f.AgainOpen > 0 {
		open = fmt.Sprintf("of what is not dead %s called dead by an earlier campaign (the latest by %s, %s; its ledger has the proof): what is open there is the value that was set since, unless somebody set the stolen one again",
			Plural(f.AgainOpen, "credential had a value", "credentials had a value"), f.Before.Campaign, clock(f.Before.At))
	}
	if f.Again == 0 {
		return open
	}
	if open != "" {
		open = "; " + open
	}
	whose := fmt.Sprintf("%d of them", f.Again)
	if f.Again == f.All.Dead {
		whose = "each of them"
	}
	return fmt.Sprintf("dead before: %s had a value called dead by an earlier campaign (the latest by %s, %s; its ledger has the proof), and this campaign ended what was set since",
		whose, f.Before.Campaign, clock(f.Before.At)) + open
}
