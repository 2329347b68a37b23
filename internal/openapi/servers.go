package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// serversOf returns the servers of an object, or else those around it.
func (r *operationReader) serversOf(holder, around *yaml.Node) *yaml.Node {
	if servers := get(holder, "servers"); servers != nil && len(servers.Content) > 0 {
		return servers
	}
	return around
}

// basesOf returns the different paths of servers, without a slash at the end.
func (r *operationReader) basesOf(servers *yaml.Node, position string) (bases []string, err error) {
	if len(r.BasePaths) > 0 {
		for _, base := range r.BasePaths {
			bases = append(bases, strings.TrimSuffix(base, "/"))
		}
		return bases, nil
	}
	if servers == nil {
		return []string{""}, nil
	}
	if cached, ok := r.bases[servers]; ok {
		return cached, nil
	}
	if servers.Kind != yaml.SequenceNode {
		return nil, at(servers, position, errors.New("servers: write a list"))
	}
	for _, server := range servers.Content {
		address, err := expandVariables(server)
		if err != nil {
			return nil, at(server, position+" servers", err)
		}
		parsed, err := url.Parse(address)
		if err != nil || parsed.Opaque != "" {
			return nil, at(server, position+" servers", errors.New("invalid URL of a server"))
		}
		if base := r.baseOf(parsed); !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	r.bases[servers] = bases
	return bases, nil
}

// baseOf returns the path of a server, which may be relative to the document.
func (r *operationReader) baseOf(server *url.URL) string {
	document := &url.URL{Path: "/"}
	if r.URL != nil {
		document = r.URL
	}
	return strings.TrimSuffix(document.ResolveReference(server).EscapedPath(), "/")
}

// expandVariables returns the URL of a server with the defaults of its variables.
func expandVariables(server *yaml.Node) (string, error) {
	address := getText(server, "url")
	if address == "" {
		return "", errors.New("a server needs a url")
	}
	var expanded strings.Builder
	for {
		before, rest, found := strings.Cut(address, "{")
		expanded.WriteString(before)
		if !found {
			return expanded.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value := get(get(get(server, "variables"), name), "default")
		if !closed || value == nil || value.Kind != yaml.ScalarNode {
			return "", fmt.Errorf("the variable %q has no default", name)
		}
		expanded.WriteString(value.Value)
		address = after
	}
}
