package inventory

import (
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
)

// What a person changes may log in by a name that an account of a directory has
// too, and the device may have had one password for both. Such an account is
// asked as one is that has the name of an account of the roll: with what Vault
// holds for the task. Where the task has doors it is left to the person, see
// doorLogins.

// taskLogins are the tasks whose secret logs in by a name, each with that as
// its one name, and where Vault holds its value as its path.
func (l *lister) taskLogins() (out []*credential.Credential) {
	for _, t := range l.tasks {
		c := t
		switch {
		case l.leftOutTask(t), t.Task.Login == "", len(doorsOf(l.c, t, l.taskDoors[t.ID], t.Task.Login, t.Task.Login)) > 0:
			continue
		}
		c.Names = []string{t.Task.Login}
		if t.Task.At != nil {
			c.Paths = []credential.Path{*t.Task.At}
		}
		out = append(out, &c)
	}
	return out
}

// leftOutTask reports whether the campaign file leaves a task out.
func (l *lister) leftOutTask(t credential.Credential) bool {
	return slices.ContainsFunc(l.c.Exclude, func(e config.Exclude) bool { return namesTask(e, t) })
}

// whose says for people what has a name that an account elsewhere has too.
func whose(c *credential.Credential) string {
	if c.Task != nil {
		return "what logs in as " + c.Names[0] + " and a person changes (" + c.Name + ")"
	}
	return c.Authority + ": " + c.Name
}
