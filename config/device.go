package config

import (
	"slices"
	"strings"
)

// SameDevice: names of devices are those of machines, which differ in no
// letter's case.
func SameDevice(a, b string) bool { return strings.EqualFold(a, b) }

// IsDevice reports whether a name is the device's, now or formerly.
func (c *Campaign) IsDevice(name string) bool {
	return SameDevice(name, c.Device) || slices.ContainsFunc(c.Formerly, func(f string) bool { return SameDevice(name, f) })
}

// formerDevices are the names under which earlier campaign files had the
// device.
func (l *loader) formerDevices(top fields, device string) []string {
	var out []string
	for _, n := range top.list("formerly") {
		name, ok := l.text(n, "formerly")
		switch {
		case !ok:
		case !nameForm.MatchString(name):
			l.problem(n.Line, "formerly: a device's name %s", nameRule)
		case SameDevice(name, device):
			l.problem(n.Line, "formerly: is the device's name now")
		default:
			out = append(out, name)
		}
	}
	return out
}
