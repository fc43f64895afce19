/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/vmm/refusal.h"

#define CHAIN "Error: Cloud Hypervisor exited with the following chain of errors:\n"
#define AWAY                                                                        \
	"cloud-hypervisor:  60.012489s: <vmm> ERROR:virtio-devices/src/vhost_user/" \
	"vu_common_ctrl.rs:545 -- Timed out waiting for vhost-user connection on socket /s\n"

struct words {
	const char *text;
	bool refused;
};

/* What Cloud Hypervisor wrote. */
static const struct words words[] = {
	{AWAY "cloud-hypervisor:  60.014919s: <main> ERROR:cloud-hypervisor/src/lib.rs:24 -- "
	      "Fatal error: VmBoot(VmBoot(DeviceManager(CreateVhostUserNet("
	      "VhostUserConnectTimeout))))\n" CHAIN "  0: Error booting VM\n"
	      "  1: The VM could not boot\n  2: Error from device manager\n"
	      "  3: Cannot create vhost-user-net device\n"
	      "  4: Timed out waiting for vhost-user connection\n",
		true},
	{CHAIN "  0: Error parsing config\n  1: Error validating configuration\n"
	       "  2: Using vhost-user requires using shared memory or huge pages\n",
		true},
	{CHAIN "  0: Error parsing config\r\n  1: Error validating configuration\r\n"
	       "  2: Rate limiting is not supported with vhost-user\r\n\r\n",
		true},
	/* A single line, before v46. */
	{"Error booting VM: VmBoot(DeviceManager(CreateVhostUserNet(VhostUserConnect)))\n", true},
	{"Error booting VM: VmBoot(DeviceManager(CreateVhostUserNet(VhostUserConnect)))", true},
	/* Something else was wrong. */
	{CHAIN "  0: Error booting VM\n  1: The VM could not boot\n  2: Cannot open kernel file\n"
	       "  3: No such file or directory (os error 2)\n",
		false},
	{"error: unexpected argument '--bogus' found\n\nUsage: cloud-hypervisor --net "
	 "<vhost_user=true>\n\nFor more information, try '--help'.\n",
		false},
	{"", false},
	{"\n \n", false},
	/* The device had its trouble, and the end another reason. */
	{AWAY CHAIN "  0: Error booting VM\n  1: The VM could not boot\n", false},
	{AWAY "thread 'vcpu0' panicked at vmm/src/cpu.rs:1\n", false},
};

static void last_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		bool refused = refusal_is_of_vhost_user(words[i].text);

		if (refused != words[i].refused)
			fail_msg("%s: %s", refused ? "refused" : "not refused", words[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
