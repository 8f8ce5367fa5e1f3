package inventory

import (
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// What a person changes and proves at doors may have an account of a directory
// behind them, or beside them, that goes by its login: the doors refuse the
// stolen value, and the directory itself, where nobody asks, may take it. The
// person changes that account, or it is somebody else's: so it is asked, and
// never rotated. One that takes the value when all is listed, or could not be
// asked, is noted with the task, which is dead only once it refuses it too.

// doorLogins are the tasks with doors, by the names with which they log in
// there, and where Vault holds their values as their paths.
func (l *lister) doorLogins() (out []*credential.Credential) {
	for _, t := range l.tasks {
		if l.leftOutTask(t) || t.Task.At == nil {
			continue
		}
		login := t.Task.Login
		if login == "" {
			login = t.Name
		}
		doors := doorsOf(l.c, t, l.taskDoors[t.ID], login, login)
		if len(doors) == 0 {
			continue
		}
		c := t
		c.Names, c.Paths = []string{login}, []credential.Path{*t.Task.At}
		for _, d := range doors {
			if d.Login != "" && !slices.Contains(c.Names, d.Login) {
				c.Names = append(c.Names, d.Login)
			}
		}
		out = append(out, &c)
	}
	return out
}

// atDoors are those of some credentials that are tasks with doors.
func atDoors(of []string, tasks []*credential.Credential) (out []string) {
	for _, t := range tasks {
		if slices.Contains(of, t.ID) {
			out = append(out, t.ID)
		}
	}
	return out
}

// noteElsewhere notes an account with the tasks whose login it has.
func (l *lister) noteElsewhere(roll *credential.Roll, n *namesake, tasks []string) {
	at := credential.AccountAt{Authority: n.authority, Kind: l.c.KindOf(n.authority), Subject: n.Subject, Name: n.Name}
	note := func(cs []credential.Credential) {
		for i, c := range cs {
			if slices.Contains(tasks, c.ID) && !slices.Contains(c.Task.Elsewhere, at) {
				task := *c.Task
				task.Elsewhere = append(slices.Clone(task.Elsewhere), at)
				cs[i].Task = &task
			}
		}
	}
	note(l.tasks)
	note(roll.Credentials)
}

// besideDoors says which accounts have the login of what people prove at doors.
// They are taken from found, which are rotated if they take what was stolen.
func (l *lister) besideDoors(roll *credential.Roll, found []*namesake, refused []bool, tasks []*credential.Credential) (left []*namesake, leftRefused []bool) {
	var ask, takes []string
	for i, n := range found {
		of, called := atDoors(n.of, tasks), n.authority+": "+n.Name
		if len(of) == 0 {
			left, leftRefused = append(left, n), append(leftRefused, refused[i])
			continue
		}
		switch {
		case refused[i]:
			l.past.unlike = append(l.past.unlike, n.id())
		case n.excluded, l.offers != nil && l.namesAccepted(n):
			left, leftRefused = append(left, n), append(leftRefused, false)
			continue
		case l.offers == nil:
			ask = append(ask, called)
		default:
			takes = append(takes, called)
			l.noteElsewhere(roll, n, of)
		}
		if len(of) < len(n.of) && !refused[i] { // an account of the roll is called so too
			n.takes = nil
			n.open = "what a person changes and proves at doors logs in by that name, so nobody else changes it"
			left, leftRefused = append(left, n), append(leftRefused, false)
		}
	}
	if len(ask) > 0 {
		l.warn(credential.FindingSameName, "%s the name with which something logs in at doors that a person changes: %s. A campaign offers each, once, what was stolen of that; who takes it is not rotated, and what the person changes is dead only once that account refuses it too. Exclude, by its DN or immutable id, what must not be asked",
			plural.Count(len(ask), "account that no source names has", "accounts that no source names have"), some(ask))
	}
	if len(takes) > 0 {
		l.warn(credential.FindingSameName, "%s the name with which something logs in at doors that a person changes, and %s what was stolen of it, or could not be asked: %s. None is rotated: whoever changes it sees to each as well, and it is dead only once each refuses it. List what is to be rotated; exclude, by its DN or immutable id, what has nothing to do with it",
			plural.Count(len(takes), "account that no source names has", "accounts that no source names have"), plural.Pick(len(takes), "takes", "take"), some(takes))
	}
	return left, leftRefused
}
