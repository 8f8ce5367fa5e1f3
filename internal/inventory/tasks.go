package inventory

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// What only a person can change is listed by rows of a manifest. No account is
// looked up for it and no place in Vault is its own, so it does not go through
// the merge: it has a wave to itself, which begins with the campaign.

// waveTasks is the name of that wave.
const waveTasks = "by people"

// itself is the end where the secret is kept, for a row that names no ends.
const itself = "itself"

const (
	mostEnds    = 32
	mostEndText = 200
	longestDue  = 366 * 24 * time.Hour
)

// Columns that such a row has, and no other.
var taskColumns = []string{"name", "owner", "due", "ends", "make", "login"}

var (
	taskName  = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._()-]{0,63}$`)
	taskOwner = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._@+-]*(/[\p{L}\p{N}._@+-]+)*$`)
)

// task reads a row of what only a person can change.
func (t *table) task(c *config.Campaign, s config.Source, r row, cand Candidate) Candidate {
	by := cand.Kind.Traits().ByHand
	for _, column := range []string{"account", "directory"} {
		if r.cells[column] != "" {
			t.problem(r.fileLine, "%s: leave it out: %s is what a person does, which has a name (and login, where it logs in at doors by another). What stands there is not repeated; if it is a secret, treat it as disclosed", column, cand.Kind)
		}
	}
	task := &credential.Task{Make: by.Makes}
	cand.Authority, cand.Account, cand.Task = credential.PersonAuthority, r.cells["name"], task
	switch name := r.cells["name"]; {
	case name == "":
		t.problem(r.fileLine, "name: missing: what the task is called, for example radius-secret")
	case !taskName.MatchString(name):
		t.problem(r.fileLine, "name: must be 1 to 64 letters, digits, blanks, dots, hyphens and brackets, a letter or digit first")
	case t.named[segment(name)] > 0:
		t.problem(r.fileLine, "name: the row on line %d has this name already", t.named[segment(name)])
	default:
		if t.named == nil {
			t.named = map[string]int{}
		}
		t.named[segment(name)] = r.fileLine
	}
	owner := t.owner(r, "owner", r.cells["owner"])
	t.due(r, task)
	task.Make = t.yes(r, "make", task.Make, "whether Rollcall makes the new value")
	task.Do, task.Ends = fromProfile(c, cand.Lines)
	if n := r.cells["note"]; n != "" {
		task.Do = append(task.Do, n)
	}
	if r.cells["ends"] != "" || r.ends != nil {
		task.Ends = t.ends(r)
	}
	for i, e := range task.Ends {
		if e.Owner == "" {
			task.Ends[i].Owner = owner
		}
		if task.Ends[i].Owner == "" {
			t.problem(r.fileLine, "owner: missing: who sees to it, the name of an entity in Vault or a login, for example userpass/alice")
			break
		}
	}
	t.atDoors(c, r, &cand)
	for _, e := range task.Ends {
		if at := pointsAt(c, e.Name); at != "" {
			t.problem(r.fileLine, "ends: points at %s, which is an address of the device (containment.addresses): what answers there may be the thief's", at)
		}
	}
	for _, text := range append([]string{r.cells["note"], r.cells["name"], r.cells["login"]}, endNames(task.Ends)...) {
		if what := credential.Discloses(text); what != "" {
			t.problem(r.fileLine, "%s: a manifest may not hold secrets; take it out, and change that secret", what)
			break
		}
	}
	return cand
}

// pointsAt is the address of the device that an end names; empty if it names
// none.
func pointsAt(c *config.Campaign, end string) string {
	if c.Containment == nil {
		return ""
	}
	words := strings.FieldsFunc(strings.ToLower(end), func(r rune) bool { return strings.ContainsRune(" \t,;()[]<>\"'/@=", r) })
	for _, at := range c.Containment.Addresses {
		for _, w := range words {
			w = strings.TrimRight(w, ".:")
			if host, _, err := net.SplitHostPort(w); err == nil {
				w = host
			}
			if w == strings.ToLower(at) {
				return at
			}
		}
	}
	return ""
}

// owner is a person as Vault knows him; empty where nobody is named.
func (t *table) owner(r row, what, text string) string {
	switch {
	case text == "":
		return ""
	case len(text) > 128 || !taskOwner.MatchString(text):
		t.problem(r.fileLine, "%s: must be the name of an entity in Vault, or a login there as MOUNT/NAME, for example userpass/alice", what)
		return ""
	}
	return text
}

// due reads when a task has to be done: a time, a date, which is its last
// second, or how long after the listing.
func (t *table) due(r row, task *credential.Task) {
	text := r.cells["due"]
	if text == "" {
		t.problem(r.fileLine, "due: missing: a time (2026-12-05T18:00:00Z), a date (2026-12-05), or how long after the start (8h, 3d)")
		return
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		task.Due = at.UTC()
		return
	}
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		task.Due = at.Add(24*time.Hour - time.Second)
		return
	}
	within, err := duration(text)
	switch {
	case err != nil:
		t.problem(r.fileLine, "due: must be a time (2026-12-05T18:00:00Z), a date (2026-12-05), or how long after the start (8h, 3d)")
	case within < time.Minute || within > longestDue:
		t.problem(r.fileLine, "due: must be from a minute to a year after the start")
	default:
		task.Within = within
	}
}

// duration is time.ParseDuration that knows days.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err != nil || fmt.Sprint(n) != days || n > 3660 {
			return 0, fmt.Errorf("not a number of days")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

// ends are those that a row names: "END; END = OWNER", or a list.
func (t *table) ends(r row) (out []credential.TaskEnd) {
	named := r.ends
	if named == nil {
		for part := range strings.SplitSeq(r.cells["ends"], ";") {
			name, owner, _ := strings.Cut(part, "=")
			if strings.TrimSpace(part) != "" {
				named = append(named, credential.TaskEnd{Name: strings.TrimSpace(name), Owner: strings.TrimSpace(owner)})
			}
		}
	}
	for _, e := range named {
		e.Owner = t.owner(r, "ends: owner", e.Owner)
		switch {
		case e.Name == "":
			t.problem(r.fileLine, "ends: one has no name; write END or END = OWNER, with semicolons between them")
		case len(e.Name) > mostEndText:
			t.problem(r.fileLine, "ends: a name is longer than %d bytes", mostEndText)
		case slices.ContainsFunc(out, func(have credential.TaskEnd) bool { return strings.EqualFold(have.Name, e.Name) }):
			t.problem(r.fileLine, "ends: the same end is named twice")
		default:
			out = append(out, e)
		}
	}
	switch {
	case len(named) == 0:
		t.problem(r.fileLine, "ends: names none; leave it out, and the profile's line says them")
	case len(out) > mostEnds:
		t.problem(r.fileLine, "ends: %d, and a task has %d at most", len(out), mostEnds)
		out = out[:mostEnds]
	}
	return out
}

func endNames(ends []credential.TaskEnd) (out []string) {
	for _, e := range ends {
		out = append(out, e.Name)
	}
	return out
}

// fromProfile makes the instructions and the ends of the lines that a row
// answers: the secret itself, and whatever has to change together with it.
func fromProfile(c *config.Campaign, lines []credential.LineRef) (do []string, ends []credential.TaskEnd) {
	ends = []credential.TaskEnd{{Name: itself}}
	if c.Profile == nil {
		return nil, ends
	}
	for _, ref := range lines {
		l, ok := c.Profile.Line(ref.Line)
		if !ok {
			continue
		}
		do = append(do, "change: "+l.What)
		for _, w := range l.Where {
			do = append(do, "it is set at: "+w)
		}
		if l.Resets > 1 {
			do = append(do, fmt.Sprintf("change it %d times, one after the other", l.Resets))
		}
		for _, r := range l.Revoke {
			do = append(do, "end besides: "+r)
		}
		if l.Residue != "" {
			do = append(do, "what keeps the old one: "+l.Residue)
		}
		for _, name := range l.Together {
			if len(ends) < mostEnds && !slices.ContainsFunc(ends, func(e credential.TaskEnd) bool { return strings.EqualFold(e.Name, name) }) {
				ends = append(ends, credential.TaskEnd{Name: name})
			}
		}
	}
	return do, ends
}

// addTask notes a task. Its name is one of a kind in the campaign, and another
// device's task of that name is another one.
func (l *lister) addTask(s config.Source, c Candidate) error {
	subject := segment(l.c.Device) + "/" + segment(c.Account)
	id := credential.PersonAuthority + "/" + subject
	for _, have := range l.tasks {
		if have.ID == id {
			return fmt.Errorf("source %s: %s: name: %s names a task of this name already; nothing was listed and nothing was changed: give one of them another", s.Name, c.Reason.Detail, have.Reasons[0].Detail)
		}
	}
	l.tasks = append(l.tasks, credential.Credential{
		ID: id, Kind: c.Kind, Authority: c.Authority, Subject: subject, Name: c.Account,
		Reasons: []credential.Reason{c.Reason}, Lines: sortedLines(c.Lines), Task: c.Task,
	})
	if c.New {
		l.newTasks = append(l.newTasks, id)
	}
	if l.taskDoors == nil {
		l.taskDoors = map[string][]config.DoorOf{}
	}
	l.taskDoors[id] = c.Doors
	return nil
}

// withoutTasks is the campaign file without the excludes that name tasks, which
// the merge knows nothing of.
func (l *lister) withoutTasks() *config.Campaign {
	own := *l.c
	own.Exclude = slices.DeleteFunc(slices.Clone(l.c.Exclude), func(e config.Exclude) bool {
		return e.Account != "" && slices.ContainsFunc(l.allTasks(), func(c credential.Credential) bool { return namesTask(e, c) })
	})
	return &own
}

func namesTask(e config.Exclude, c credential.Credential) bool {
	return e.Account != "" && (strings.EqualFold(e.Account, c.Name) || strings.EqualFold(e.Account, c.ID))
}

// allTasks are those of the manifests, and those that an earlier campaign left
// open and that no manifest names any more: a task is not done because its row
// is gone.
func (l *lister) allTasks() []credential.Credential {
	out := slices.Clone(l.tasks)
	for _, k := range l.past.tasks {
		if !slices.ContainsFunc(out, func(c credential.Credential) bool { return segment(c.Name) == segment(k.Name) }) {
			c := k.Credential
			c.Problem = credential.NotNamed
			c.Reasons = append([]credential.Reason{k.candidate().Reason}, slices.DeleteFunc(slices.Clone(c.Reasons), func(r credential.Reason) bool { return r.Type == earlierType })...)
			out = append(out, c)
		}
	}
	return out
}

// addTasks puts them on the roll, behind all else.
func (l *lister) addTasks(roll *credential.Roll, now time.Time) {
	var on []credential.Credential
	for _, c := range l.allTasks() {
		left := slices.IndexFunc(l.c.Exclude, func(e config.Exclude) bool {
			return namesTask(e, c) || c.Problem == credential.NotNamed && e.Campaign != "" && e.Campaign == openedBy(c.Reasons, "")
		})
		if left >= 0 {
			roll.Excluded = append(roll.Excluded, credential.Exclusion{ID: c.ID, Name: c.Name, Reason: l.c.Exclude[left].Reason, Found: c.Reasons, Paths: c.Paths})
			if i := slices.IndexFunc(l.past.leftovers, func(o ownmount.Leftover) bool { return o.ID == c.ID }); i >= 0 {
				l.warn(credential.FindingTakenFromPeople, "%s is left out (%s), and campaign %s handed a new value over: the campaign takes it back from whoever has it, and keeps it staged (%s/%s), for somebody may have set it at one end already", c.Name, l.c.Exclude[left].Reason, l.past.leftovers[i].Campaign, l.c.Vault.Mount, ownmount.StagingPath(c.ID))
			}
			continue
		}
		if c.Problem == credential.NotNamed {
			roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingNotNamed,
				Detail: fmt.Sprintf("it was open in %s, and no manifest of this campaign names it any more; nobody is asked to do it: name it again, or exclude it with a reason (exclude: account)", openedBy(c.Reasons, "an earlier campaign"))})
		}
		task := *c.Task
		if task.Within > 0 {
			task.Due, task.After, task.Within = now.UTC().Add(task.Within).Truncate(time.Second), task.Within, 0
		}
		c.Task, c.Wave = &task, len(roll.Waves)
		l.doorsOfTask(roll, &c)
		on = append(on, c)
	}
	if len(on) == 0 {
		return
	}
	for _, a := range l.c.Accept {
		if login, ok := strings.CutPrefix(a.Vault, "auth/"); ok {
			roll.PeoplesOwn = append(roll.PeoplesOwn, login)
			if slices.ContainsFunc(on, func(c credential.Credential) bool {
				return slices.ContainsFunc(c.Task.Owners(), func(owner string) bool { return strings.EqualFold(owner, login) })
			}) {
				l.warn(credential.FindingAccepted, "the login %s to Vault, which sees to a task, is somebody's own and nothing of the device's, whatever it is called: the campaign file says so: %s", login, a.Reason)
			}
		}
	}
	roll.Waves = append(roll.Waves, credential.Wave{Name: waveTasks, Tasks: true})
	slices.SortFunc(on, func(a, b credential.Credential) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	roll.Credentials = append(roll.Credentials, on...)
	slices.SortFunc(roll.Excluded, func(a, b credential.Exclusion) int { return strings.Compare(a.ID, b.ID) })
}
