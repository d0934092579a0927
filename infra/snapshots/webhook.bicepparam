// What hooks/postdeploy adds to `new` when the app has started.
using '../events.bicep'

param topicName = 'evgt-ulcra3s6lwfvk'
param imagesAccountName = 'stulcra3s6lwfvk'
param imagesContainer = 'images'
param deletedQueue = 'image-deleted'
param deadLetterContainer = 'dead-letters'
param appName = 'func-ulcra3s6lwfvk'
