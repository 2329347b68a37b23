package openapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// Bounds on the memory that slow and repeated clients can make this package use.
const (
	// maxReads bounds the documents that are read from the upstream at a time.
	// Another one waits for maxWait, and then passes unchanged.
	maxReads = 4
	maxWait  = 5 * time.Second
	// maxKept bounds the versions that are kept.
	maxKept = 4
	// maxVersions bounds the versions that are kept or on their way to a client.
	// Beyond it documents pass unchanged. Up to maxReads more may be in progress.
	maxVersions = 8
)

// version is a document as clients get it. They share it.
type version struct {
	source   source
	document []byte
	tag      string // its ETag; empty for the document of the upstream as it is

	readers int
	kept    bool
}

// source identifies what a version was made from.
type source struct {
	digest [sha256.Size]byte // of the document of the upstream
	hosts  string            // see [routes.HostPatterns.Match]
}

// versions are those that are kept or on their way to a client.
type versions struct {
	reads chan struct{}

	mutex  sync.Mutex
	recent []*version // the last ones used, the newest last
	alive  int
}

func newVersions() *versions { return &versions{reads: make(chan struct{}, maxReads)} }

// buffers hold documents of the upstream while they are read.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// begin returns a buffer to read a document into, or nil if there is no room.
// [versions.end] takes it back.
func (v *versions) begin(ctx context.Context) *bytes.Buffer {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case v.reads <- struct{}{}:
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return nil
	}
	if v.full() {
		<-v.reads
		return nil
	}
	return buffers.Get().(*bytes.Buffer)
}

func (v *versions) end(buffer *bytes.Buffer) {
	buffer.Reset()
	buffers.Put(buffer)
	<-v.reads
}

// detach counts a buffer as a version, because a client gets it unchanged.
// [versions.letGo] ends that.
func (v *versions) detach() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.alive++
	<-v.reads
}

func (v *versions) letGo() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.alive--
}

func (v *versions) full() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.alive >= maxVersions
}

// find returns the version of a source for one more client, or nil.
func (v *versions) find(origin source) *version {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	for i, one := range v.recent {
		if one.source == origin {
			v.recent = append(append(v.recent[:i:i], v.recent[i+1:]...), one)
			one.readers++
			return one
		}
	}
	return nil
}

// add keeps a version, and returns it for its first client.
func (v *versions) add(one *version) *version {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	one.kept, one.readers = true, 1
	v.alive++
	v.recent = append(v.recent, one)
	if len(v.recent) > maxKept {
		oldest := v.recent[0]
		v.recent = append([]*version(nil), v.recent[1:]...)
		oldest.kept = false
		v.drop(oldest)
	}
	return one
}

// release ends the use of a version by a client.
func (v *versions) release(one *version) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	one.readers--
	v.drop(one)
}

// drop stops counting an unused version.
func (v *versions) drop(one *version) {
	if !one.kept && one.readers == 0 {
		v.alive--
	}
}
