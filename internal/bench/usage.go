package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is processor time since the start of each process.
type usage struct{ slapd, vault, us time.Duration }

// cpu is processor time for each account, in milliseconds: where the time goes
// when all processes share one machine.
type cpu struct {
	Slapd  float64 `json:"slapd"`
	Vault  float64 `json:"vault"`
	Client float64 `json:"client"`           // the bench itself, or rollcall
	Engine float64 `json:"engine,omitempty"` // rollcall-engine
}

func (c cpu) all() float64 { return c.Slapd + c.Vault + c.Client + c.Engine }

func (u usage) since(earlier usage) usage {
	return usage{u.slapd - earlier.slapd, u.vault - earlier.vault, u.us - earlier.us}
}

func (u usage) per(accounts int) cpu {
	return cpu{Slapd: each(u.slapd, accounts), Vault: each(u.vault, accounts), Client: each(u.us, accounts)}
}

func each(d time.Duration, accounts int) float64 {
	return float64(d.Microseconds()) / 1000 / float64(accounts)
}

func (g *ground) usage() (u usage, err error) {
	if u.slapd, err = processorTime(g.slapd.Process().Pid()); err != nil {
		return u, err
	}
	if u.vault, err = processorTime(g.vault.Process().Pid()); err != nil {
		return u, err
	}
	var self syscall.Rusage
	err = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	u.us = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	return u, err
}

// ticks per second of /proc/PID/stat: USER_HZ, 100 on every Linux that Go runs
// on.
const ticks = 100

// processorTime reads what a running process has used (proc_pid_stat(5),
// fields 14 and 15, counted behind the name, which may hold spaces).
func processorTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks, err
}

// peakMemory reads the most memory a running process has had resident, in
// bytes (VmHWM, proc_pid_status(5)); 0 once it is gone.
func peakMemory(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
