/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net.ipv4.ip_forward, switched on while at least one network of ours needs it in this network
 * namespace, and put back when the last one goes.
 */
#pragma once

struct forwarding;

/*
 * Switches forwarding on and holds it. `run_directory` exists, belongs to us, and is the same for
 * every network; a small file in it remembers the value to go back to. The caller gives the hold
 * back with forwarding_release().
 *
 * Returns 0; -ENOENT when run_directory is missing; -EACCES or -EPERM without rights; -EROFS when
 * /proc/sys is read-only and forwarding is off; or a negative errno. Nothing is changed then.
 */
int forwarding_hold(const char *run_directory, struct forwarding **ret_forwarding);

/*
 * Ends the hold; the last holder restores the original value. Returns 0, or a negative errno when
 * restoring failed (the hold ends all the same). NULL is allowed.
 */
int forwarding_release(struct forwarding *forwarding);

/*
 * Writes down that `user` (a network's name) needs forwarding beyond the life of this process: the
 * value is then not put back, whoever releases it, until forwarding_drop() of the same name.
 * Returns 0, -ENOSPC with too many users, or a negative errno.
 */
int forwarding_keep(struct forwarding *forwarding, const char *user);

/*
 * Ends what forwarding_keep() of `user` began, if there was such a thing, and puts back the
 * original value if nobody needs forwarding any more; what killed processes left behind is mended,
 * too. `user` may be NULL, for that alone. Returns 0 or a negative errno.
 */
int forwarding_drop(const char *run_directory, const char *user);

/*
 * In a child of fork(): frees the child's copy and leaves the hold, which is the parent's, in
 * place. NULL is allowed.
 */
void forwarding_close_in_child(struct forwarding *forwarding);
