/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/sigbus.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/port.h"

/* Written by the thread that serves messages, read by the handler in any thread. An entry that
 * changes is nobody's: the rings of its port are parked, so the fault is another's. */
struct mapping {
	uint32_t version; /* odd while the others change */
	uintptr_t address;
	size_t length; /* bytes; 0: none */
};

static struct mapping mappings[PORT_MAX][SIGBUS_SLOTS];
static bool hits[PORT_MAX];
bool sigbus_pending;
static size_t page_size;
/* The port whose message this thread serves, or PORT_NONE. */
static _Thread_local uint16_t served = PORT_NONE;

static bool replace(uintptr_t address, size_t length, uint16_t port)
{
	void *fresh = mmap((void *)address, length, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (fresh == MAP_FAILED)
		return false;
	__atomic_store_n(&hits[port], true, __ATOMIC_RELEASE);
	__atomic_store_n(&sigbus_pending, true, __ATOMIC_RELEASE);
	/* cppcheck-suppress memleak ; it stands where the guest's memory was */
	return true;
}

/* Is the fault in this mapping? Then *ret holds what the mapping was at one moment. */
static bool covers(const struct mapping *m, uintptr_t fault, struct mapping *ret)
{
	uint32_t version = __atomic_load_n(&m->version, __ATOMIC_ACQUIRE);
	ret->address = __atomic_load_n(&m->address, __ATOMIC_RELAXED);
	ret->length = __atomic_load_n(&m->length, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(version & 1) && version == __atomic_load_n(&m->version, __ATOMIC_RELAXED) &&
	       fault - ret->address < ret->length;
}

static void handle(int number, siginfo_t *info, void *context)
{
	uintptr_t fault = (uintptr_t)info->si_addr;
	int saved = errno;
	struct mapping found;
	if (info->si_code <= 0) {
		/* Somebody sent it: there is no address, and no instruction that faults again. */
		signal(SIGBUS, SIG_DFL);
		raise(SIGBUS);
		return;
	}
	for (uint16_t port = 0; port < PORT_MAX; port++) {
		for (unsigned int slot = 0; slot < SIGBUS_SLOTS; slot++) {
			if (covers(&mappings[port][slot], fault, &found) &&
				replace(found.address, found.length, port))
				goto handled;
		}
	}
	if (served != PORT_NONE && replace(fault & ~(page_size - 1), page_size, served))
		goto handled;
	/* Not a guest's: die of it, at the instruction that faulted. */
	signal(SIGBUS, SIG_DFL);
handled:
	errno = saved;
}

int sigbus_install(void)
{
	struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

void sigbus_watch(uint16_t port, unsigned int slot, void *address, size_t length)
{
	struct mapping *m = &mappings[port][slot];
	uint32_t version = m->version;
	__atomic_store_n(&m->version, version + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&m->address, (uintptr_t)address, __ATOMIC_RELAXED);
	__atomic_store_n(&m->length, address ? length : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&m->version, version + 2, __ATOMIC_RELEASE);
}

void sigbus_message(uint16_t port, bool serving)
{
	served = serving ? port : PORT_NONE;
}

bool sigbus_hit(uint16_t port)
{
	if (!__atomic_load_n(&hits[port], __ATOMIC_ACQUIRE))
		return false;
	return __atomic_exchange_n(&hits[port], false, __ATOMIC_ACQ_REL);
}
