package harness

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// The request for sockets and its answer, of sock_diag(7).
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	stateListen      = 1 << 10
	requestLength    = syscall.NLMSG_HDRLEN + 56
	portOffset       = 4 // in the answer, and behind it the other port and the address
	addressOffset    = 8
	addressEnd       = 24
)

// listening returns the local addresses of TCP listeners on some ports. It asks the
// kernel for listeners alone: /proc/net/tcp also has thousands of closed connections.
func listening(ports []string) (addresses []string) {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil
	}
	defer syscall.Close(socket)
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		request := make([]byte, requestLength)
		binary.NativeEndian.PutUint32(request, requestLength)
		binary.NativeEndian.PutUint16(request[4:], sockDiagByFamily)
		binary.NativeEndian.PutUint16(request[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
		request[syscall.NLMSG_HDRLEN], request[syscall.NLMSG_HDRLEN+1] = family, syscall.IPPROTO_TCP
		binary.NativeEndian.PutUint32(request[syscall.NLMSG_HDRLEN+4:], stateListen)
		if err := syscall.Sendto(socket, request, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
			return addresses
		}
		for _, message := range receive(socket) {
			port := strconv.Itoa(int(binary.BigEndian.Uint16(message.Data[portOffset:])))
			if slices.Contains(ports, port) {
				addresses = append(addresses, hex.EncodeToString(message.Data[addressOffset:addressEnd])+":"+port)
			}
		}
	}
	return addresses
}

// receive returns the parts of an answer of the kernel.
func receive(socket int) (all []syscall.NetlinkMessage) {
	for {
		block := make([]byte, 16*os.Getpagesize())
		length, _, err := syscall.Recvfrom(socket, block, 0)
		if err != nil {
			return all
		}
		messages, err := syscall.ParseNetlinkMessage(block[:length])
		if err != nil {
			return all
		}
		for _, message := range messages {
			if message.Header.Type != sockDiagByFamily {
				return all // the end, or an error
			}
			all = append(all, message)
		}
	}
}
