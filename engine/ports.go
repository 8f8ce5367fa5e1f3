package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"

	"go.temporal.io/server/common/primitives"
)

// services that Temporal runs, each with a gRPC port of its own. The first
// is the one that clients talk to.
var services = []primitives.ServiceName{
	primitives.FrontendService,
	primitives.HistoryService,
	primitives.MatchingService,
	primitives.WorkerService,
}

// endpoint is an address of ours.
type endpoint struct {
	ip   string
	port int
}

func (e endpoint) String() string { return net.JoinHostPort(e.ip, strconv.Itoa(e.port)) }

// endpoints are all different, and free when they were chosen.
type endpoints struct {
	services []endpoint // in the order of services
	ui       *endpoint  // nil: no web UI
}

func (e endpoints) frontend() endpoint { return e.services[0] }

// chooseEndpoints takes the frontend's from listen, and if its port is 0 from
// kept while that is free. ui is the web UI's, or empty for none. Another
// process can take a port before Temporal binds it; the engine then ends with a
// message that says so.
func chooseEndpoints(listen, ui, kept string) (endpoints, error) {
	var held portHolder
	defer held.release()
	var chosen endpoints

	want, err := parseLoopback(listen)
	if err != nil {
		return chosen, fmt.Errorf("-listen %q: %w", listen, err)
	}
	before, err := parseLoopback(kept)
	useKept := err == nil && want.port == 0 && before.ip == want.ip
	if !useKept || held.take(before) != nil {
		if before, err = held.choose(want); err != nil {
			return chosen, fmt.Errorf("-listen %s: %w", listen, err)
		}
	}
	chosen.services = append(chosen.services, before)
	for len(chosen.services) < len(services) {
		e, err := held.choose(endpoint{ip: want.ip})
		if err != nil {
			return chosen, err
		}
		chosen.services = append(chosen.services, e)
	}
	if ui == "" {
		return chosen, nil
	}
	if want, err = parseLoopback(ui); err != nil {
		return chosen, fmt.Errorf("-ui %q: %w", ui, err)
	}
	e, err := held.choose(want)
	if err != nil {
		return chosen, fmt.Errorf("-ui %s: %w", ui, err)
	}
	chosen.ui = &e
	return chosen, nil
}

// parseLoopback reads address:port. Neither the engine nor its web UI asks
// anybody who they are, so both stay on loopback.
func parseLoopback(s string) (endpoint, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return endpoint{}, fmt.Errorf("want address:port, such as 127.0.0.1:0")
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return endpoint{}, fmt.Errorf("the engine has no authentication and serves on a loopback address only, such as 127.0.0.1:0")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return endpoint{}, fmt.Errorf("the port is not a number from 0 to 65535")
	}
	return endpoint{ip.String(), int(n)}, nil
}

// portHolder keeps ports taken until all are chosen, so that no two are the
// same.
type portHolder struct{ listeners []net.Listener }

func (h *portHolder) take(e endpoint) error {
	l, err := net.Listen("tcp", e.String())
	if err == nil {
		h.listeners = append(h.listeners, l)
	}
	return err
}

// choose takes the endpoint, or any on its address if the port is 0.
func (h *portHolder) choose(e endpoint) (endpoint, error) {
	if e.port != 0 {
		return e, h.take(e)
	}
	for range 1000 {
		// Below Linux's ephemeral range (32768 and up, ip(7)): there, any
		// outgoing connection could take the port while a killed engine is
		// down.
		e.port = 15000 + rand.IntN(17000)
		if h.take(e) == nil {
			return e, nil
		}
	}
	return e, fmt.Errorf("no free port between 15000 and 32000 on %s", e.ip)
}

func (h *portHolder) release() {
	for _, l := range h.listeners {
		l.Close()
	}
}
