package evidence

import (
	"math"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/taken"
)

// server is the source of one server's lines.
type server struct {
	*judge.Source
	further bool // of those that are not kept apart: it covers nothing
	last    time.Time
}

// at is the source of a server, made where it is not there.
func (g *ofGroup) at(name string) *server {
	if g.group.server != "" {
		name = g.group.server
	}
	name = cutName(name)
	key := name
	if _, is := g.byServer[key]; !is && g.group.server == "" && !g.expected(name) && (g.live && len(g.byServer) >= maxServers || !g.live && len(g.sources) >= mostSources) {
		key, name = furtherServers, ""
	}
	s, ok := g.byServer[key]
	if !ok {
		quiet := g.Quiet
		if g.live { // nobody asks what it covers, and lines of all times take no memory
			quiet = math.MaxInt64
		}
		s = &server{Source: judge.NewSource(g.authority, name, g.format.Name, quiet, g.format.CannotShow...), further: key == furtherServers}
		s.InFront = g.format.InFront
		g.byServer[key] = s
		g.sources = append(g.sources, s.Source)
	}
	if !slices.Contains(s.Files, g.path) {
		s.Files = append(s.Files, g.path)
	}
	return s
}

// mostSources are kept of one reading, and of each group besides one of all
// servers beyond them: who may write into a syslog may call himself as he
// likes, and a campaign takes 2,000. Lines of that one count, are judged as all
// are, and cover nothing. Servers that the roll names, and what has no name,
// have room whatever came before them.
const mostSources = 1_000

// furtherServers is no name of a server: a line's is valid UTF-8.
const furtherServers = "\xff"

// expected reports whether a directory of the roll has a server of that name,
// as its URL has it or by its first part: so few names that they need no bound.
func (g *ofGroup) expected(name string) bool {
	return name == "" || slices.ContainsFunc(hostsOf(g.Servers[g.authority]), func(host string) bool {
		first, _, _ := strings.Cut(host, ".")
		return name == host || name == first || name == strings.ToUpper(first)
	})
}

// cutName is a name as whoever takes the result takes it: a line may call its
// server as it likes.
func cutName(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) > taken.LongestName {
		name = strings.ToValidUTF8(name[:taken.LongestName], "")
	}
	return name
}

// early are lines from before any line that says which server the log is of.
type early struct {
	read       int
	foreign    int
	unreadable []event.Place
	more       int // of these, beyond those that are named
	notes      []judge.Noted
}

// note counts.
func (e *early) note(n event.Note, at event.Place) {
	i := slices.IndexFunc(e.notes, func(x judge.Noted) bool { return x.Note == n })
	if i < 0 {
		i, e.notes = len(e.notes), append(e.notes, judge.Noted{Note: n, First: at})
	}
	e.notes[i].Count++
}

// mostEarly are named of them.
const mostEarly = 100

// isOf says which server the lines are of, those before the first such line
// too.
func (g *ofGroup) isOf(s *server) {
	g.current = s
	s.takes(g.early)
	g.early = early{}
}

// takes counts lines from before.
func (s *server) takes(g early) {
	s.Lines += g.read + g.foreign + g.more
	s.Foreign += g.foreign
	s.Unreadable += g.more
	for _, at := range g.unreadable {
		s.NotRead(at)
	}
	for _, n := range g.notes {
		for range n.Count {
			s.Note(n.Note, n.First)
		}
	}
}
